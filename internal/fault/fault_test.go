package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestKindSurvivesWrapping(t *testing.T) {
	err := fmt.Errorf("cannot install web: %w", New(NotFound, "artifact-not-found", "not in any repository"))
	if got := KindOf(err); got != NotFound {
		t.Errorf("kind = %v, want NotFound", got)
	}
	if got := SlugOf(err); got != "artifact-not-found" {
		t.Errorf("slug = %q", got)
	}
}

func TestUnmarkedErrorIsInternal(t *testing.T) {
	if got := KindOf(errors.New("x")); got != Internal {
		t.Errorf("kind = %v, want Internal", got)
	}
	if Mark(NotFound, "x", nil) != nil || Fields("x", nil) != nil {
		t.Error("nothing wrong must stay nil")
	}
}

func TestOutermostMarkWins(t *testing.T) {
	err := Mark(Conflict, "in-use", fmt.Errorf("x: %w", Mark(NotFound, "gone", fs.ErrNotExist)))
	if KindOf(err) != Conflict || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("kind %v, is ErrNotExist %v", KindOf(err), errors.Is(err, fs.ErrNotExist))
	}
}

func TestFieldsAreInTheTextAndApart(t *testing.T) {
	err := fmt.Errorf("put: %w", Fields("the spec cannot be used", []Field{
		{Location: "body.args", Message: "must be a list"},
		{Location: "body.stop.grace", Message: "must be a duration"},
	}))
	want := "put: the spec cannot be used: body.args: must be a list; body.stop.grace: must be a duration"
	if err.Error() != want {
		t.Errorf("text = %q\nwant   %q", err, want)
	}
	if got := Headline(err); got != "put: the spec cannot be used" {
		t.Errorf("headline = %q", got)
	}
	if len(FieldsOf(err)) != 2 {
		t.Errorf("fields = %v", FieldsOf(err))
	}
}

func TestWhatPassesIsRetryableWhateverItsKind(t *testing.T) {
	passing := fmt.Errorf("put: %w", Passing(Conflict, "being-removed", "it is being removed"))
	if !RetryableOf(passing) || KindOf(passing) != Conflict || SlugOf(passing) != "being-removed" {
		t.Errorf("got %v, %v, %q", RetryableOf(passing), KindOf(passing), SlugOf(passing))
	}
	if RetryableOf(New(Conflict, "x", "x")) || !RetryableOf(New(Full, "x", "x")) || RetryableOf(errors.New("x")) {
		t.Error("what does not pass by itself goes by its kind")
	}
}

func TestDisk(t *testing.T) {
	for err, want := range map[error]Kind{
		&fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}: Full,
		fmt.Errorf("cannot write: %w", syscall.EDQUOT):             Full,
		fs.ErrNotExist: Internal,
		nil:            Internal,
	} {
		if got := Disk(err); KindOf(got) != want || !errors.Is(got, err) {
			t.Errorf("Disk(%v) = %v, kind %v; want %v", err, got, KindOf(got), want)
		}
	}
}
