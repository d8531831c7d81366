package linearizability_test

import (
	"fmt"
	"os"

	"github.com/holdfast-db/holdfast/linearizability"
)

// A client writes; another one, whose call came later, does not see it.
func Example() {
	clock := int64(0)
	now := func() int64 { clock++; return clock }
	recorder := linearizability.NewRecorder(now, nil, 1)

	write := recorder.Begin(1, 1, "n1", linearizability.Request{Kind: linearizability.Put, Key: "a", Value: "1"})
	write.End(linearizability.Response{Outcome: linearizability.OK, Revision: 2})
	read := recorder.Begin(2, 2, "n2", linearizability.Request{Kind: linearizability.Range, Key: "a"})
	read.End(linearizability.Response{Outcome: linearizability.OK, Revision: 1})

	history := recorder.History()
	report := linearizability.Check(history, linearizability.Options{})
	fmt.Println(report.OK())
	_ = linearizability.Explain(os.Stdout, history, report)
	// Output:
	// false
	// real-time check: violated
	//   client 2 [3, 4] range "a" → 0 of 0 keys, revision 1
	//   is stale: revision 2 was known at 2, before it was called, by
	//   client 1 [1, 2] put "a"="1" → revision 2
	//   operation 1: client 2 [3, 4] range "a" → 0 of 0 keys, revision 1
	//   operation 0: client 1 [1, 2] put "a"="1" → revision 2
	// window check: violated
	//   no order of the 2 operations between revisions 1 and 2 explains their replies
	//   operation 1: client 2 [3, 4] range "a" → 0 of 0 keys, revision 1
	//   operation 0: client 1 [1, 2] put "a"="1" → revision 2
	// per-key check: violated
	//   no order of the 2 operations on "a" explains their replies
	//   operation 0: client 1 [1, 2] put "a"="1" → revision 2
	//   operation 1: client 2 [3, 4] range "a" → 0 of 0 keys, revision 1
}
