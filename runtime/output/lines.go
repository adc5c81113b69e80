package output

import "bytes"

// maxLine is the longest line that is delivered whole, in bytes: what a follower has to hold.
const maxLine = 64 << 10

// raw yields bytes as they come.
type raw struct{ yield func(Piece) error }

func (s raw) take(data []byte, after int64) error { return s.yield(Piece{Data: data, After: after}) }
func (s raw) flush() error                        { return nil }
func (s raw) tell(notice string, after int64) error {
	return s.yield(Piece{After: after, Notice: notice})
}

// lines yields whole lines, and holds back what has no end yet.
type lines struct {
	yield func(Piece) error
	held  []byte // at most maxLine
	after int64  // the offset behind held
}

func (s *lines) take(data []byte, after int64) error {
	at := after - int64(len(data)) // the offset of data
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, []byte{'\n'})
		used := len(data) - len(rest)
		if room := maxLine - len(s.held); len(line) > room {
			line, used, ended = line[:room], room, false
		}
		data, at = data[used:], at+int64(used)
		s.after = at
		if !ended {
			s.held = append(s.held, line...)
			if len(s.held) == maxLine && len(data) > 0 && data[0] != '\n' {
				if err := s.flush(); err != nil {
					return err
				}
			}
			continue
		}
		if len(s.held) > 0 {
			line = append(s.held, line...)
			s.held = s.held[:0]
		}
		if err := s.yield(Piece{Data: line, After: at}); err != nil {
			return err
		}
	}
	return nil
}

// flush yields what is held back.
func (s *lines) flush() error {
	if len(s.held) == 0 {
		return nil
	}
	line := s.held
	s.held = nil
	return s.yield(Piece{Data: line, After: s.after, Partial: true})
}

func (s *lines) tell(notice string, after int64) error {
	return s.yield(Piece{After: after, Notice: notice})
}
