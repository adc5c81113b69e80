package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cloudname/nodee/internal/settings"
)

// Where a node and a coordinator listen that were told nothing else.
const (
	defaultAddr        = "http://127.0.0.1:7040"
	defaultCoordinator = "http://127.0.0.1:7041"
)

// globalFlags are the flags of every command that asks a daemon: which one, who asks, and
// how the answer is shown.
type globalFlags struct {
	addr, coordinator      string
	tokenFile              string
	tlsCA, tlsCert, tlsKey string
	prefix, config         string
	output                 *string
}

// The forms of an answer.
const (
	outputTable = "table"
	outputJSON  = "json"
)

func (g *globalFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&g.addr, "addr", "", "the daemon's `URL` (default $NODEE_ADDR, else "+defaultAddr+")")
	fs.StringVar(&g.coordinator, "coordinator", "", "the coordinator's `URL`, for jobs and nodes (default $NODEE_COORDINATOR, else what the node names, else "+defaultCoordinator+")")
	fs.StringVar(&g.tokenFile, "token-file", "", "the `FILE` that holds the daemon's token (default $NODEE_TOKEN, else PREFIX/state/token)")
	fs.StringVar(&g.tlsCA, "tls-ca", "", "the `FILE` (PEM) of the authority that the daemon's certificate is from (default the host's)")
	fs.StringVar(&g.tlsCert, "tls-cert", "", "the `FILE` (PEM) of the certificate to show to the daemon")
	fs.StringVar(&g.tlsKey, "tls-key", "", "the `FILE` (PEM) of that certificate's key")
	fs.StringVar(&g.prefix, "prefix", "", "the daemon's `DIR`, where its token is looked for (default $NODEE_PREFIX, else as configured)")
	fs.StringVar(&g.config, "config", "", "the configuration `FILE` that names the prefix (default $NODEE_CONFIG, else "+settings.DefaultFile+")")
	g.output = outputChoice(fs)
}

func outputChoice(fs *pflag.FlagSet) *string {
	return Choice(fs, "output", "o", "how answers are shown, to people or to programs", outputTable, outputJSON)
}

// annotationLocal marks commands that ask no daemon.
const annotationLocal = "local"

// local makes cmd one that asks no daemon: the global flags are not for it.
func local(cmd *cobra.Command) *cobra.Command {
	cmd.Annotations = map[string]string{annotationLocal: ""}
	// The template without the part on global flags.
	head, rest, _ := strings.Cut(cmd.UsageTemplate(), "{{if .HasAvailableInheritedFlags}}")
	_, tail, _ := strings.Cut(rest, "{{end}}")
	cmd.SetUsageTemplate(head + tail)
	return cmd
}

// annotationCellwide marks commands, with all below them, that ask a coordinator.
const annotationCellwide = "cellwide"

// cellwide makes cmd one that asks a coordinator.
func cellwide(cmd *cobra.Command) *cobra.Command {
	cmd.Annotations = map[string]string{annotationCellwide: ""}
	return cmd
}

func isCellwide(cmd *cobra.Command) bool {
	for ; cmd != nil; cmd = cmd.Parent() {
		if _, ok := cmd.Annotations[annotationCellwide]; ok {
			return true
		}
	}
	return false
}

// checkGlobals refuses global flags where they would have no effect.
func (a *app) checkGlobals(cmd *cobra.Command) error {
	if _, ok := cmd.Annotations[annotationLocal]; !ok {
		if a.global.coordinator != "" && !isCellwide(cmd) {
			return usage("%q asks the node of this host, so --coordinator has no effect on it; see %s --help", cmd.CommandPath(), cmd.CommandPath())
		}
		return nil
	}
	var err error
	cmd.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && cmd.Flags().Lookup(f.Name) == f {
			err = usage("%q asks no daemon, so --%s has no effect on it; see %s --help", cmd.CommandPath(), f.Name, cmd.CommandPath())
		}
	})
	return err
}

// json tells whether answers are passed on as they come.
func (g *globalFlags) json() bool { return *g.output == outputJSON }

// token is what shows that the caller may ask, or why there is none.
type token struct {
	text string
	from string // where it is, or would be
	err  error  // why it could not be read
}

// findToken looks for the token where the caller said, else in the environment, else in
// the prefix of a daemon on this host. The last may be somewhere else or not readable:
// then the caller goes without, and hears of it only if the daemon asks for one.
func (g *globalFlags) findToken() (token, error) {
	if g.tokenFile != "" {
		t := readToken(g.tokenFile)
		if t.err != nil {
			return t, usage("cannot read the token: %w", t.err)
		}
		return t, nil
	}
	if text := os.Getenv("NODEE_TOKEN"); text != "" {
		return token{text: strings.TrimSpace(text), from: "NODEE_TOKEN"}, nil
	}
	prefix, err := g.findPrefix()
	if err != nil {
		return token{}, err
	}
	if prefix == "" {
		return token{from: "PREFIX/state/token", err: errors.New("neither XDG_STATE_HOME nor HOME tells where the prefix is")}, nil
	}
	return readToken(filepath.Join(prefix, "state", "token")), nil
}

func readToken(path string) token {
	b, err := os.ReadFile(path)
	t := token{text: strings.TrimSpace(string(b)), from: path, err: err}
	if err == nil && t.text == "" {
		t.err = fmt.Errorf("%s is empty", path)
	}
	return t
}

// findPrefix finds the prefix of a daemon on this host, "" where nothing tells.
func (g *globalFlags) findPrefix() (string, error) {
	if prefix := cmp.Or(g.prefix, os.Getenv("NODEE_PREFIX")); prefix != "" {
		if !filepath.IsAbs(prefix) {
			return "", usage("the prefix %q is no absolute path; say where the daemon's folder is with --prefix", prefix)
		}
		return prefix, nil
	}
	s, err := settings.Load(nil, g.config)
	if named := cmp.Or(g.config, os.Getenv("NODEE_CONFIG")); err != nil && named != "" {
		return "", err
	}
	// The host's own file is the daemon's business: it may be closed to whoever asks here,
	// and what is wrong with it need not keep anybody from asking.
	return s.Prefix, nil
}

// advice says what to do about a daemon that wants another token than it was shown.
func (t token) advice(addr string) string {
	switch {
	case t.err == nil:
		return fmt.Sprintf("the token of %s is not that of the daemon at %s; give its own with --token-file or NODEE_TOKEN", t.from, addr)
	case errors.Is(t.err, fs.ErrPermission):
		return fmt.Sprintf("the token is in %s, which cannot be read here: permission denied; run as root, or give --token-file", t.from)
	case errors.Is(t.err, fs.ErrNotExist):
		return fmt.Sprintf("the token was looked for in %s, which does not exist; name the daemon's folder with --prefix, or give --token-file", t.from)
	}
	return fmt.Sprintf("the token was looked for in %s: %v; give --token-file", t.from, t.err)
}
