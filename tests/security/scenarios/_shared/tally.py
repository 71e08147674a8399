class Tally:
    """Counts attempts: one that returns something true has escaped, one that raises or returns nothing was held."""

    def __init__(self):
        self.held = 0
        self.escaped = []

    def attempt(self, name):
        def run(function):
            try:
                got = function()
            except Exception:
                got = None
            if got:
                self.escaped.append(name)
                print("LOOT", name, repr(got)[:300])
            else:
                self.held += 1
            return function

        return run

    def report(self):
        raise RuntimeError(f"HELD {self.held} ESCAPED [{' '.join(self.escaped)}]")


tally = Tally()
