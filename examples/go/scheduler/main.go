// Scheduler runs tasks later, or again and again, on whichever worker is there.
//
//	go run ./scheduler worker --name a                     # as many as you like, in terminals of their own
//	go run ./scheduler worker --name b
//	go run ./scheduler add mail --in 5s -- echo "sent"     # once, in five seconds
//	go run ./scheduler add beat --every 1s -- date         # every second
//	go run ./scheduler list
//	go run ./scheduler results mail
//	go run ./scheduler remove beat
//
// A task is a command. What the keys are, and why no task is lost and none is run by two workers at once, is told in
// store.go, where it can be seen.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

const usage = `scheduler: tasks that run later, or again and again

  scheduler worker                 run tasks until Ctrl-C           [--name NAME] [--ttl SECONDS] [--at-once N]
  scheduler add ID -- COMMAND...   add a task                       [--in DURATION] [--every DURATION]
  scheduler remove ID              take a task out, with its results
  scheduler list                   the tasks, when they are due, who runs them
  scheduler results ID             what the runs of a task printed
`

var (
	name   = flag.String("name", hostname(), "worker: who runs a task")
	ttl    = flag.Int("ttl", 5, "worker: seconds after which a dead worker's tasks go to others")
	atOnce = flag.Int("at-once", 4, "worker: tasks to run side by side")
	in     = flag.Duration("in", 0, "add: how long from now the task is due")
	every  = flag.Duration("every", 0, "add: the time from one run's being due to the next; 0 is once")
)

func hostname() string { h, _ := os.Hostname(); return h }

func main() {
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage); flag.PrintDefaults() }
	words := parse(os.Args[1:])
	ctx, stop := connect.Context()
	defer stop()
	if err := run(ctx, words); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "scheduler:", err)
		os.Exit(1)
	}
}

// parse lets flags stand anywhere before "--", behind which comes a task's command.
func parse(args []string) (words []string) {
	for i, arg := range args {
		if arg == "--" {
			return append(parse(args[:i]), args[i+1:]...)
		}
	}
	for len(args) > 0 {
		_ = flag.CommandLine.Parse(args) // ends the program on an error
		if args = flag.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	return words
}

func run(ctx context.Context, words []string) error {
	if len(words) == 0 {
		flag.Usage()
		return errors.New("what shall be done?")
	}
	client, err := connect.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	s := &store{client: client}
	if words[0] == "worker" && len(words) == 1 {
		return newWorker(s, *name, *ttl, *atOnce).run(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	switch {
	case words[0] == "add" && len(words) > 2:
		return s.add(ctx, task{ID: words[1], Due: time.Now().Add(*in), Every: *every, Command: words[2:]})
	case words[0] == "remove" && len(words) == 2:
		return s.remove(ctx, words[1])
	case words[0] == "list" && len(words) == 1:
		return printTasks(ctx, s)
	case words[0] == "results" && len(words) == 2:
		return printResults(ctx, s, words[1])
	}
	flag.Usage()
	return fmt.Errorf("%q is not understood", words)
}

func printTasks(ctx context.Context, s *store) error {
	tasks, err := s.tasks(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tDUE\tEVERY\tRUN BY\tCOMMAND")
	for _, t := range tasks {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%q\n", t.ID, t.Due.Format(time.DateTime), t.Every, t.worker, t.Command)
	}
	return table.Flush()
}

func printResults(ctx context.Context, s *store, id string) error {
	results, err := s.results(ctx, id)
	for _, r := range results {
		fmt.Printf("run %d by %s, %s: %s%s\n", r.Run, r.Worker, r.Ended.Format(time.DateTime), r.Output, r.Error)
	}
	return err
}
