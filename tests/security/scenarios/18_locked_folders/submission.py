# include: honest
import os

os.makedirs("locked/inner")
open("locked/inner/@MARKER@", "w").close()
os.mkfifo("locked/pipe")
os.chmod("locked/inner", 0)
os.chmod("locked", 0)
os.chmod(".", 0o500)
