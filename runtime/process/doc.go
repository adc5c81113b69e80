// Package process is the built-in Launcher: it runs what a unit is made of as plain Linux
// processes, each start in a session and a group of its own, and finds them again after the
// daemon's own restart.
//
// Who is it? A process is known by the boot, its number, its start time and the inode of its
// pidfd; a number alone is a rumour, so nothing is signalled but through a pidfd whose owner
// was checked, or by its group. All processes of one start stand in one control group, made
// anew for each start and named after it; the group says that something runs, whatever the
// files say. Where no control group can be made, what belongs to a start is found in /proc: by
// NODEE_START_ID in its environment, by the logs that the start was given, by the session of the
// main process, and by descent. What does all of these escapes then: cleared its environment,
// closed its standard output and error, left the session, and lost its parent; once somebody else
// reaped the main process, its session counts no more. A control group is left by a root
// alone that is not confined, and so may move processes between groups.
//
// Waiting is done by pidfds in the poller of Go's runtime, one descriptor and no thread for
// each. The package starts no goroutine but one for the moment of each fork, which it waits
// for: whoever calls Watch waits, one of them on behalf of all, and what cannot be removed at
// once is tried again by later calls and by Close.
//
// What a process may write and gain is settled on the thread that it is forked from: the
// thread gives up new privileges, is put under the bounds that package confine makes of the
// launch's access, forks, and is thrown away. So nothing runs between fork and exec, and
// nothing else is bounded.
//
// It refuses to decide: it does not restart, does not look anything up, and expands nothing.
// New changes three things of the whole daemon, because a child inherits them and nothing can
// be changed between fork and exec: the umask becomes 0022, descriptors that were inherited
// are closed on exec, and signals that were ignored are caught and dropped.
package process
