# include: honest
# include: frames
def double(x):
    send_raw(frame(reply(None)))
    return 2 * x
