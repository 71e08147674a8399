"""What the notebook's `grader` and the command line share: folders, handing in, running a file, the installation."""
