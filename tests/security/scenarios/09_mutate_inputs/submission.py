# include: honest
def double(x):
    return x.data.mul_(2)
