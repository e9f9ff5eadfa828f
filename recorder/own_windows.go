package recorder

// checkOwner has nothing to do on Windows: folders inherit their access rights.
func checkOwner(string) error { return nil }
