# include: honest
# include: frames
import time


def double(x):
    data = frame(reply(None))
    if "@VARIANT@" == "body":
        send_raw(data[:20])
        data = data[20:]
    for k in range(len(data)):
        send_raw(data[k : k + 1])
        time.sleep(0.2)
    return 3 * x
