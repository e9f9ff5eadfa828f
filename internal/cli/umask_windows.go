package cli

// private has nothing to do on Windows: the folders of a user belong to that user only.
func private() {}
