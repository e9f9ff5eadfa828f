package recorder

// checkOwner has nothing to do: folders inherit who may use them.
func checkOwner(string) error { return nil }
