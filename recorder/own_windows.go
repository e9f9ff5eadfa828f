package recorder

// own has nothing to do: folders inherit who may use them.
func own(string) error { return nil }
