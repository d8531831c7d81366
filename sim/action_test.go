package sim

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What a run did to the world, done again, gives the run again.
func TestScriptIsTheRun(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			drawn := Run(Options{Seed: seed})
			if drawn.Failure != nil || len(drawn.Script) < faultsMin {
				t.Fatalf("%v, %d actions", drawn.Failure, len(drawn.Script))
			}
			var script []Action
			for _, a := range drawn.Script {
				again, err := ParseAction(a.String())
				if err != nil || !reflect.DeepEqual(a, again) {
					t.Fatalf("%v: %+v reads as %+v", err, a, again)
				}
				script = append(script, again)
			}
			played := Run(Options{Seed: seed, Script: script})
			if played.Failure != nil || played.Virtual != drawn.Virtual || !reflect.DeepEqual(played.Script, drawn.Script) {
				t.Errorf("%v: %d µs and %d actions, then %d µs and %d actions", played.Failure,
					drawn.Virtual, len(drawn.Script), played.Virtual, len(played.Script))
			}
			if !reflect.DeepEqual(played.History, drawn.History) {
				t.Errorf("the clients have another history")
			}
		})
	}
}

// Every verb's text is read back as it was written.
func TestActionText(t *testing.T) {
	for _, text := range []string{
		"at 1.204113 partition 1 2 | 3 4 5 for 803.2ms", "at 0 partition 1 2 3 | 3 4 5", "at 12 isolate leader for 1s",
		"at 0.000001 cut 1>2 2>1 old>3", "at 3 flap 1 2 100ms times 7", "at 3 slow 1>4 80ms for 3s", "at 1 hide 3 noticed for 7us",
		"at 1 hide 3", "at 1 hint 1 closed 2", "at 1 hint 2 unreachable 1", "at 1 kill leader", "at 1 kill 3 for 1.5s", "at 1 crash 3",
		"at 1 crash 3 torn for 2s", "at 1 crash 3 sync 2", "at 1 crash 3 op 7 for 1ms", "at 1 start 3", "at 1 start 3 op 4 for 1s",
		"at 1 pause 1 30s", "at 1 rot 2 payload bit pick 7", "at 1 misplace 2 2 pick 3", "at 1 lose 2 super", "at 1 shorten 2 segment pick 3", "at 1 losewrite 2 in .wal after 3", "at 1 misread 2 in snap after 1 times 2 for 3s", "at 1 wipe 2 for 1s", "at 1 clone 2", "at 1 restore 2 for 1s", "at 1 stall 2 log 10ms", "at 1 campaign 2", "at 1 transfer leader", "at 1 transfer 1 2", "at 1 add 4",
		"at 1 promote 4", "at 1 promote 4 replacing 1", "at 1 demote 2", "at 1 remove leader", "at 1 heal", "at 1 leave 3 deaf", "at 2 end",
		"at 1 diskerror 3 write,sync in .wal after 2 times 3 landing 40 for 1s", "at 1 diskerror 1", "at 1 fsyncfail 2", "at 1 fsyncfail 2 in super",
		"at 1 nospace 2 in .new times 3", "at 1 diskfull 2 room 4096 for 1s", "at 1 diskfull 2", "at 1 readonly 3 for 1s",
		"at 1 slowdisk 1 80ms for 3s", "at 1 killsync 2 4ms sync 3 for 10ms", "at 1 hangsync 1 for 3s",
	} {
		a, err := ParseAction(text)
		if err != nil || a.String() != text {
			t.Errorf("%v: %s is written as %s", err, text, a)
		}
	}
}

// What people write for convenience is read, too.
func TestActionShort(t *testing.T) {
	for text, want := range map[string]string{
		"cut 1-2":           "at 0 cut 1>2 2>1",
		"cut 2<1":           "at 0 cut 1>2",
		"partition 1|2":     "at 0 partition 1 | 2",
		"crash 1 # boom":    "at 0 crash 1",
		"at 1.50 heal":      "at 1.5 heal",
		"pause 1 0.25m":     "at 0 pause 1 15s",
		"pause 1 1500ms":    "at 0 pause 1 1.5s",
		"slow 1>2 3-2 1µs":  "at 0 slow 1>2 3>2 2>3 1us",
		"\tkill\u00a01\r\n": "at 0 kill 1",
	} {
		if a, err := ParseAction(text); err != nil || a.String() != want {
			t.Errorf("%v: %q is %q, want %q", err, text, a, want)
		}
	}
}

// A mistake is named with its place.
func TestActionMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "line 1, column 1: the line ends where an action",
		"explode 1":             `line 1, column 1: "explode" stands where an action`,
		"crash":                 "line 1, column 6: the line ends where a member",
		"crash 25":              `line 1, column 7: "25" stands where a member`,
		"crash 1 for":           "line 1, column 12: the line ends where a duration",
		"crash 1 for 0s":        "line 1, column 15:",
		"crash 1 for 3":         `line 1, column 13: "3" stands where a duration`,
		"crash 1 now":           `line 1, column 9: "now" stands where the end of the line`,
		"crash 1 sync -1":       `line 1, column 14: "-1" stands where a number`,
		"partition 1 2":         "line 1, column 14: the line ends where | and a second group",
		"partition 1 | for 1s":  `line 1, column 15: "for" stands where a member`,
		"cut 1>1":               `line 1, column 5: "1>1" stands where a link`,
		"cut for 1s":            `line 1, column 5: "for" stands where a link`,
		"at x heal":             `line 1, column 4: "x" stands where a time`,
		"at 0.0000001 heal":     `line 1, column 4: "0.0000001" stands where a time`,
		"hint 1 maybe 2":        `line 1, column 8: "maybe" stands where closed or unreachable`,
		"pause 1 99999999999m":  `line 1, column 9: "99999999999m" stands where a duration`,
		"leave 1":               "line 1, column 8: the line ends where down or cut or deaf",
		"diskerror 1 fly":       `line 1, column 13: "fly" stands where operations`,
		"fsyncfail 1 in":        "line 1, column 15: the line ends where a part",
		"slow 1>2 2>1 for 10ms": `line 1, column 14: "for" stands where a duration`,
	} {
		_, err := ParseAction(text)
		var at *ParseError
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// Any duration survives being written.
func TestDurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(0, microsMax).Draw(t, "µs")
		if got, ok := parseDuration(durationText(want)); !ok || got != want {
			t.Errorf("%d is %s, read as %d, %v", want, durationText(want), got, ok)
		}
		if got, ok := parseDecimal(secondsText(want), second); !ok || got != want {
			t.Errorf("%d is %s, read as %d, %v", want, secondsText(want), got, ok)
		}
	})
}

// No input makes the reader panic, and what it reads it can write.
func FuzzParseAction(f *testing.F) {
	for _, text := range []string{"at 1.2 partition 1 2 | 3 for 80ms", "cut 1-2 2>3", "crash 3 sync 2 for 1s", "promote 4 replacing 1", "# x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAction(text)
		if err != nil {
			return
		}
		again, err := ParseAction(a.String())
		if err != nil || again.String() != a.String() {
			t.Errorf("%q reads as %q, then %v, %q", text, a, err, again)
		}
	})
}
