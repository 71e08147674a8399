# include: honest
import os


class Meta(type):
    @property
    def __name__(cls):
        raise SystemExit(0)


class Evil(Exception):
    def __str__(self):
        match "@VARIANT@":
            case "str-raises":
                raise KeyboardInterrupt
            case "str-exits":
                os._exit(0)
            case "str-vast":
                return "x" * 200_000_000
        return "evil"


class Nameless(Exception, metaclass=Meta):
    pass


class Later(NotImplementedError):
    pass


def double(x):
    match "@VARIANT@":
        case "name-raises":
            raise Nameless
        case "cyclic-cause":
            one, two = Evil(), Evil()
            one.__cause__, two.__cause__ = two, one
            raise one
        case "not-implemented-lies":
            raise Later
    raise Evil
