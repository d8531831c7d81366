package main

// otherMutants are those of what lies around the store, and the places of those
// that have to wait.
var otherMutants = []mutant{
	{id: "25", name: "lease reads go on while a transfer is under way, or after a clock has stepped", waits: "lease reads"},
	{id: "44", name: "a damaged entry is answered like one that was never there", waits: "a damaged log that heals from its peers"},
	{id: "68", name: "a lock is given before the own key is the first", waits: "the lock service"},
	{id: "69", name: "the operations inside a transaction are not checked for permission", waits: "authentication"},
}
