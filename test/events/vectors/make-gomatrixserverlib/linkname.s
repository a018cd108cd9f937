// Empty: it lets main.go declare functions without bodies.
