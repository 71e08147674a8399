# include: honest

