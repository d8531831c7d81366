package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// simResults is the file of a campaign: a first line that says what is run, then
// one for each seed that has ended. A campaign that finds its file goes on where
// it stopped.
type simResults struct {
	file *os.File
	done map[uint64]bool
}

// simCampaign is the first line. Results of different campaigns don't mix.
type simCampaign struct {
	Campaign simSettings `json:"campaign"`
}

type simSettings struct {
	Nodes     int     `json:"nodes"`
	Chaos     float64 `json:"chaos_seconds"`
	Faults    string  `json:"faults"`
	Porcupine bool    `json:"porcupine"`
	Twice     bool    `json:"twice"`
}

// openResults opens or makes the file, and hands what it holds to seen.
func openResults(name string, settings simSettings, seen func(*simJSON)) (*simResults, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	r := &simResults{file: file, done: map[uint64]bool{}}
	if err := r.load(name, settings, seen); err != nil {
		file.Close()
		return nil, err
	}
	return r, nil
}

func (r *simResults) load(name string, settings simSettings, seen func(*simJSON)) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	// A line without an end was being written when the campaign was interrupted.
	whole := int64(bytes.LastIndexByte(text, '\n') + 1)
	if err := r.file.Truncate(whole); err != nil {
		return err
	}
	if _, err := r.file.Seek(whole, 0); err != nil {
		return err
	}
	if whole == 0 {
		return json.NewEncoder(r.file).Encode(simCampaign{settings})
	}
	lines := strings.Split(string(text[:whole-1]), "\n")
	var head struct{ Campaign *simSettings }
	if err := json.Unmarshal([]byte(lines[0]), &head); err != nil || head.Campaign == nil {
		return fmt.Errorf("%s holds no results of holdfast sim", name)
	}
	if *head.Campaign != settings {
		return fmt.Errorf("%s holds results of another campaign (%+v, not %+v): give another file", name, *head.Campaign, settings)
	}
	for i, line := range lines[1:] {
		row := &simJSON{}
		if err := json.Unmarshal([]byte(line), row); err != nil {
			return fmt.Errorf("%s, line %d: %w", name, i+2, err)
		}
		if !r.done[row.Seed] {
			r.done[row.Seed] = true
			seen(row)
		}
	}
	return nil
}

// add writes the line of a seed.
func (r *simResults) add(row *simJSON) error { return json.NewEncoder(r.file).Encode(row) }
