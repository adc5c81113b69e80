// Package confine says what a process may write, and has the kernel hold it to that.
//
// Rules decides, purely: from what the process asks for and from where the folders lie that
// nobody may change. A Guard knows those folders, and has Prepare make a ruleset of the
// kernel's (Landlock) out of rules, on any thread; Bounds.Enforce puts the calling thread under
// it, for good, and with it all that is forked from there. Nothing is granted that leads to a protected folder, whatever its name:
// what is opened is compared by where it really is, mounts that show a protected folder in
// another place count too.
//
// Only the right to write is taken, and with it whatever changes names: to make, remove, link
// and rename. The kernel adds that such a process mounts nothing, and looks into no process
// outside (its memory, its /proc/<pid>/root). What the kernel's Landlock does not know is not
// prevented: modes, owners, times and extended attributes can be changed by whom the file
// system lets, and who may open a disk as a whole can write to it past all names.
//
// The package starts no goroutine and no thread. It refuses to judge: without Landlock it says
// so, and what to do then is for others to decide.
package confine
