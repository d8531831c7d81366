package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"gopkg.in/natefinch/lumberjack.v2"
)

// logSettings are where log lines go and how they look, checked.
type logSettings struct {
	level   slog.Level
	console bool     // else JSON
	outputs []string // "stderr", "stdout", or files
	// rotation is for the one file among outputs; nil: none.
	rotation *lumberjack.Logger
}

// levels are zap's, which etcd's flag takes. Nothing is logged above error.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	"dpanic": slog.LevelError + 1, "panic": slog.LevelError + 2, "fatal": slog.LevelError + 3,
}

func (s *settings) parseLog() error {
	level, ok := levels[strings.ToLower(s.LogLevel)]
	if !ok {
		return fmt.Errorf("--log-level must be debug, info, warn, error, panic or fatal (set to %q)", s.LogLevel)
	}
	s.log.level = level
	switch s.LogFormat {
	case "json", "":
	case "console":
		s.log.console = true
	default:
		return fmt.Errorf("unknown log format: %s, supported values json, console", s.LogFormat)
	}
	if err := s.parseLogOutputs(); err != nil {
		return err
	}
	return s.parseLogRotation()
}

// parseLogOutputs reads etcd's list. "default" and the journal are stderr, which
// systemd hands to the journal by itself; /dev/null silences all.
func (s *settings) parseLogOutputs() error {
	list := splitList(s.LogOutputs)
	if len(list) > 1 && slices.Contains(list, "default") {
		return errors.New(`multi logoutput for "default" is not supported yet`)
	}
	for _, output := range list {
		switch output {
		case "default", "systemd/journal":
			output = "stderr"
		case "/dev/null":
			s.log.outputs = []string{os.DevNull}
			return nil
		case "":
			return errors.New("--log-outputs: an empty name")
		}
		if !slices.Contains(s.log.outputs, output) {
			s.log.outputs = append(s.log.outputs, output)
		}
	}
	if len(s.log.outputs) == 0 {
		s.log.outputs = []string{"stderr"}
	}
	return nil
}

func isLogFile(output string) bool { return output != "stderr" && output != "stdout" }

func (s *settings) parseLogRotation() error {
	if !s.LogRotation {
		return nil
	}
	files := 0
	for _, output := range s.log.outputs {
		if isLogFile(output) {
			files++
		}
	}
	if files != 1 {
		return errors.New("--log-outputs requires a single file path when --log-rotate-config-json is defined")
	}
	s.log.rotation = &lumberjack.Logger{}
	err := json.Unmarshal([]byte(s.LogRotationConfig), s.log.rotation)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("improperly formatted log rotation config: %w", err)
	case errors.As(err, &kind):
		return fmt.Errorf("invalid log rotation config: %w", err)
	}
	return err
}

// open opens all outputs and makes the logger over them. close is for the end of
// the member.
func (l *logSettings) open() (log *slog.Logger, close func() error, err error) {
	var writers []io.Writer
	var files []io.Closer
	close = func() error {
		var errs []error
		for _, f := range files {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	for _, output := range l.outputs {
		w, err := l.openOutput(output)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("--log-outputs: %w", err), close())
		}
		writers = append(writers, w)
		if c, ok := w.(io.Closer); ok && isLogFile(output) {
			files = append(files, c)
		}
	}
	w := io.MultiWriter(writers...)
	if l.console {
		return slog.New(newConsoleHandler(w, l.level)), close, nil
	}
	return NewLogger(w, l.level), close, nil
}

func (l *logSettings) openOutput(output string) (io.Writer, error) {
	switch {
	case output == "stderr":
		return os.Stderr, nil
	case output == "stdout":
		return os.Stdout, nil
	case l.rotation != nil:
		l.rotation.Filename = output
		return l.rotation, nil
	}
	return os.OpenFile(output, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}
