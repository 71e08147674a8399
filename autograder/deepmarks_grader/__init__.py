"""Deepmarks for instructors: authoring, isolation, grading and proof."""
