// Package report draws a run of the simulator as one page of HTML that needs
// nothing else: no server, no network, no files beside it.
//
// The page tells the verdict first and how to have the run again. Below, on one
// axis of time: what was done to the cluster, what role each member had in which
// term, the messages between them (once one looks closely enough), and what each
// client asked and heard. Then the logs at the end, entry by entry, coloured by
// term; the script of actions; the last events in words; and Porcupine's own
// picture, if it was the clients' history that was wrong.
//
// A Page is plain data, so that whoever else has a history can draw it too.
package report
