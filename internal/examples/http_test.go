package examples

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

type kv = mvccpb.KeyValue

// reloadStatus is what the reload example shows under /config.
type reloadStatus struct {
	Settings struct{ Greeting string }
	Seen     int
	Refused  int
	Problem  string
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func fetchJSON(t *testing.T, url string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(fetch(t, url)), into); err != nil {
		t.Fatal(err)
	}
}
