package cli

// private has nothing to do: a user's folders are that user's own there.
func private() {}
