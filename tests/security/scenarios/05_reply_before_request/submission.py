# include: honest
# include: frames
send_raw(frame(reply(None, identity=1)))
