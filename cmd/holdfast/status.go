package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// memberStatus is a row of the table.
type memberStatus struct {
	Endpoint string `json:"endpoint"`
	Name     string `json:"name,omitempty"`
	ID       string `json:"id,omitempty"`
	Role     string `json:"role"`
	Term     uint64 `json:"term,omitempty"`
	Index    uint64 `json:"index,omitempty"`
	Applied  uint64 `json:"applied,omitempty"`
	Revision int64  `json:"revision,omitempty"`
	DBBytes  int64  `json:"db_bytes,omitempty"`
	Note     string `json:"note,omitempty"`
}

func newStatus() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show all members: role, term, index, revision, size",
		Long: `Show all members that the given endpoints know of. A member that doesn't
answer has a row too, and makes the exit code 69.`,
		Example: `  holdfast status
  holdfast status --endpoints 10.0.0.1:2379 -o json`,
		Args: cobra.NoArgs,
	}
	f.bind(cmd)
	cmd.RunE = run(func(cmd *cobra.Command, _ []string) error {
		out, err := newPrinter(cmd.OutOrStdout(), f.output)
		if err != nil {
			return err
		}
		c, err := f.connect()
		if err != nil {
			return err
		}
		defer c.Close()
		rows := f.memberRows(cmd.Context(), c)
		if out.json {
			err = json.NewEncoder(out.w).Encode(rows)
		} else {
			err = printStatus(out.w, rows)
		}
		if err != nil {
			return err
		}
		return unreachable(rows)
	})
	return cmd
}

// memberRows asks who the members are, then each how it is.
func (f *clientFlags) memberRows(ctx context.Context, c *clientv3.Client) []memberStatus {
	names := map[uint64]string{}
	endpoints := strings.Split(f.endpoints, ",")
	listCtx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if list, err := c.MemberList(listCtx, clientv3.WithSerializable()); err == nil {
		endpoints = nil
		for _, m := range list.Members {
			names[m.ID] = m.Name
			endpoints = append(endpoints, endpointOf(m))
		}
	}
	rows := make([]memberStatus, len(endpoints))
	for i, e := range endpoints {
		rows[i] = f.memberRow(ctx, c, e, names)
	}
	return rows
}

func endpointOf(m *pb.Member) string {
	if len(m.ClientURLs) == 0 {
		return "(not started)"
	}
	return m.ClientURLs[0]
}

func (f *clientFlags) memberRow(ctx context.Context, c *clientv3.Client, endpoint string, names map[uint64]string) memberStatus {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	st, err := c.Status(ctx, endpoint)
	if err != nil {
		return memberStatus{Endpoint: endpoint, Role: "unreachable", Note: err.Error()}
	}
	row := memberStatus{
		Endpoint: endpoint, Name: names[st.Header.MemberId], ID: fmt.Sprintf("%x", st.Header.MemberId),
		Role: "follower", Term: st.RaftTerm, Index: st.RaftIndex, Applied: st.RaftAppliedIndex,
		Revision: st.Header.Revision, DBBytes: st.DbSize, Note: strings.Join(st.Errors, "; "),
	}
	switch {
	case st.IsLearner:
		row.Role = "learner"
	case st.Leader == st.Header.MemberId:
		row.Role = "leader"
	}
	return row
}

func printStatus(w io.Writer, rows []memberStatus) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ENDPOINT\tNAME\tID\tROLE\tTERM\tINDEX\tAPPLIED\tREVISION\tSIZE\tNOTE")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n",
			r.Endpoint, r.Name, r.ID, r.Role, r.Term, r.Index, r.Applied, r.Revision, bytesText(r.DBBytes), r.Note)
	}
	return table.Flush()
}

// bytesText prints a size as people read it.
func bytesText(n int64) string {
	const units = "KMGT"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[unit])
}

func unreachable(rows []memberStatus) error {
	n := 0
	for _, r := range rows {
		if r.Role == "unreachable" {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return exitWith(exitUnavailable, fmt.Errorf("%d of %d members unreachable", n, len(rows)))
}
