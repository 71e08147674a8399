# include: honest
import os

for _ in range(int("@VARIANT@")):
    os.mkdir("d")
    os.chdir("d")
