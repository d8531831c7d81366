package sim

import (
	"sort"
	"strings"
)

// verb is one thing that can be done: its name, what follows the name in a
// script, and the deed. The deed returns false if there was nothing to do it
// to. It may use the world's reaction stream for what is not part of the
// action (how soon others notice), never the fault stream, which is only there
// while the swarm runs.
type verb struct {
	name   string
	params []param
	do     func(w *World, a *Action) bool
	help   string // for the manual
}

// verbs by name. Each part of the world brings its own table.
var verbs map[string]*verb

func init() {
	verbs = map[string]*verb{}
	for _, table := range [][]verb{networkVerbs, processVerbs, killVerbs, diskVerbs, damageVerbs, oldDiskVerbs, memberVerbs, worldVerbs} {
		for i := range table {
			v := &table[i]
			if verbs[v.name] != nil {
				panic("sim: two verbs are called " + v.name)
			}
			verbs[v.name] = v
		}
	}
}

// param is a part of an action's text: how it is written and read.
type param struct {
	usage  string
	format func(b *strings.Builder, a *Action)
	parse  func(t *tokens, a *Action) error
}

// The parts that verbs are made of.
var (
	pWho    = param{"MEMBER", func(b *strings.Builder, a *Action) { word(b, a.Who.String()) }, parseWho}
	pPeer   = param{"MEMBER", func(b *strings.Builder, a *Action) { word(b, a.Peer.String()) }, parsePeer}
	pAnyone = param{"[MEMBER]", formatAnyone, parseAnyone}
	pLinks  = param{"A>B …", formatLinks, parseLinks}
	pGroups = param{"A B … | C D …", formatGroups, parseGroups}
	pMicros = param{"DURATION", func(b *strings.Builder, a *Action) { word(b, durationText(a.Micros)) }, parseMicros}
	pFor    = param{"[for DURATION]", formatFor, parseFor}
)

func word(b *strings.Builder, s string) {
	b.WriteByte(' ')
	b.WriteString(s)
}

func formatFor(b *strings.Builder, a *Action) {
	if a.For > 0 {
		word(b, "for")
		word(b, durationText(a.For))
	}
}

func formatAnyone(b *strings.Builder, a *Action) {
	if a.Peer != (Who{}) {
		word(b, a.Peer.String())
	}
}

func parseAnyone(t *tokens, a *Action) error {
	if t.done() {
		return nil
	}
	return parsePeer(t, a)
}

func formatLinks(b *strings.Builder, a *Action) {
	for _, l := range a.Links {
		word(b, l.String())
	}
}

func formatGroups(b *strings.Builder, a *Action) {
	for i, g := range a.Groups {
		if i > 0 {
			word(b, "|")
		}
		for _, m := range g {
			word(b, m.String())
		}
	}
}

// pCount is a number behind a keyword, left out if it is 0.
func pCount(keyword string) param {
	return param{
		usage: "[" + keyword + " N]",
		format: func(b *strings.Builder, a *Action) {
			if a.Count != 0 {
				word(b, keyword)
				word(b, decimal(a.Count, 1))
			}
		},
		parse: func(t *tokens, a *Action) (err error) {
			if t.take(keyword) {
				a.Count, err = t.number()
			}
			return err
		},
	}
}

// pWord is one of some words; the first is meant if none is there and may is set.
func pWord(may bool, words ...string) param {
	usage := strings.Join(words, "|")
	if may {
		usage = "[" + usage + "]"
	}
	return param{
		usage: usage,
		format: func(b *strings.Builder, a *Action) {
			if a.Word != "" {
				word(b, a.Word)
			}
		},
		parse: func(t *tokens, a *Action) error {
			for _, w := range words {
				if t.take(w) {
					a.Word = w
					return nil
				}
			}
			if may {
				return nil
			}
			return t.want(strings.Join(words, " or "))
		},
	}
}

// pAfter says at which of the next disk operations something happens: "torn" is
// the first sync of the log, "sync N" the N-th, "op N" behind the N-th operation
// of any kind that changes the disk.
var pAfter = param{
	usage: "[torn|sync N|op N]",
	format: func(b *strings.Builder, a *Action) {
		if a.Word != "" {
			word(b, a.Word)
		}
		if a.Word == "sync" || a.Word == "op" {
			word(b, decimal(a.Count, 1))
		}
	},
	parse: func(t *tokens, a *Action) (err error) {
		switch {
		case t.take("torn"):
			a.Word = "torn"
		case t.take("sync"):
			a.Word = "sync"
			a.Count, err = t.number()
		case t.take("op"):
			a.Word = "op"
			a.Count, err = t.number()
		}
		return err
	},
}

// pInstead names the member that a promoted one replaces in the same change.
var pInstead = param{
	usage: "[replacing MEMBER]",
	format: func(b *strings.Builder, a *Action) {
		if a.Peer != (Who{}) {
			word(b, "replacing")
			word(b, a.Peer.String())
		}
	},
	parse: func(t *tokens, a *Action) error {
		if !t.take("replacing") {
			return nil
		}
		return parsePeer(t, a)
	},
}

// verbNames lists them in alphabetical order.
func verbNames() []string {
	names := make([]string, 0, len(verbs))
	for name := range verbs {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
