package settings

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
)

// DefaultFile is the configuration file that is read, if it is there, when none is named.
const DefaultFile = "/etc/nodee/nodee.toml"

// origins says for people where each value came from, by key or by path.
type origins map[string]string

// Load finds the configuration: flags (those of Flags, as far as flags has them) before the
// environment, before the file, before the defaults. configFile is what --config named, ""
// for $NODEE_CONFIG, else DefaultFile where there is one.
//
// An error has every fault as a field, located by its key, and says where each came from.
func Load(flags *pflag.FlagSet, configFile string) (Settings, error) {
	l := &loader{flags: flags, file: findFile(configFile), from: origins{}}
	l.faults = append(l.faults, l.file.faults...)
	s := Default()
	l.keys(&s)
	l.later()
	s.Repositories = l.repositories()
	l.settle(&s)
	s.from = l.from
	told := map[string]bool{} // what could not be read need not be judged
	for _, f := range l.faults {
		told[f.Location] = true
	}
	for _, f := range s.faults() {
		if !told[f.Location] {
			l.fault(f.Location, f.Message, f.Value)
		}
	}
	return s, fault.Fields("the configuration cannot be used", l.faults)
}

func findFile(named string) *file {
	if path := cmp.Or(named, os.Getenv("NODEE_CONFIG")); path != "" {
		return readFile(path)
	}
	if _, err := os.Stat(DefaultFile); errors.Is(err, fs.ErrNotExist) {
		return &file{}
	}
	return readFile(DefaultFile)
}

type loader struct {
	flags  *pflag.FlagSet // may be nil
	file   *file
	from   origins
	faults []fault.Field
}

// keys sets every key that is not a default.
func (l *loader) keys(s *Settings) {
	v := l.precedence(s)
	for _, k := range keys {
		l.from[k.name] = l.originOf(k)
		value := v.Get(k.name)
		// What flags and the environment give is text still; the file's values are not,
		// but where text is what is wanted.
		if given, ok := value.(string); ok {
			parsed, err := k.fromText(given)
			if err != nil {
				l.fault(k.name, err.Error(), given)
				continue
			}
			value = parsed
		}
		k.set(s, value)
	}
}

// precedence has viper choose. It gets the file's values decoded, by keys that it does not
// split: left to itself it takes any case, any type and any key for right.
func (l *loader) precedence(defaults *Settings) *viper.Viper {
	v := viper.NewWithOptions(viper.KeyDelimiter("\x00"))
	v.AllowEmptyEnv(true)
	for _, k := range keys {
		v.SetDefault(k.name, k.get(defaults))
		// BindEnv and BindPFlag fail only without a name and without a flag.
		_ = v.BindEnv(k.name, k.variable())
		if flag := l.flag(k.flag()); flag != nil {
			_ = v.BindPFlag(k.name, flag)
		}
	}
	// MergeConfigMap returns an error for the interface's sake: nothing in it can fail.
	_ = v.MergeConfigMap(maps.Clone(l.file.values))
	return v
}

func (l *loader) originOf(k key[Settings]) string {
	if flag := l.flag(k.flag()); flag != nil && flag.Changed {
		return "--" + flag.Name
	}
	if _, ok := os.LookupEnv(k.variable()); ok {
		return k.variable()
	}
	if _, ok := l.file.values[k.name]; ok {
		return l.file.where(k.name)
	}
	return "default"
}

// later refuses what flags and the environment say of things that are not built yet.
func (l *loader) later() {
	for _, k := range laterKeys {
		if l.from[k.name] = l.originOf(k); l.from[k.name] != "default" {
			l.fault(k.name, notYet, nil)
		}
	}
}

func (l *loader) repositories() []Repository {
	flag := l.flag("repository")
	if flag == nil || !flag.Changed {
		for i := range l.file.repositories {
			at := document.Element("repository", i)
			l.from[at] = l.file.where(at)
		}
		return l.file.repositories
	}
	l.from["repository"] = "--repository"
	var repositories []Repository
	for i, given := range flag.Value.(*repositoryFlag).texts {
		l.from[document.Element("repository", i)] = "--repository"
		r, err := parseRepository(given)
		if err != nil {
			l.fault("repository", err.Error(), nil) // not the value: it may hold a password
			continue
		}
		repositories = append(repositories, r)
	}
	return repositories
}

// settle fills in what depends on the host.
func (l *loader) settle(s *Settings) {
	if filepath.IsAbs(s.Prefix) {
		s.Prefix = filepath.Clean(s.Prefix)
	}
	if s.Node.Name != "" && s.Node.Advertise != "" {
		return
	}
	host, err := os.Hostname()
	if err != nil {
		l.fault("node.name", "cannot find the host's name ("+err.Error()+"), set node.name and node.advertise", nil)
	}
	s.Node.Name = cmp.Or(s.Node.Name, strings.ToLower(host))
	s.Node.Advertise = cmp.Or(s.Node.Advertise, host)
}

func (l *loader) flag(name string) *pflag.Flag {
	if l.flags == nil {
		return nil
	}
	return l.flags.Lookup(name)
}

func (l *loader) fault(at, message string, value any) {
	l.faults = append(l.faults, fault.Field{Location: at, Message: message + " (" + l.origin(at) + ")", Value: value})
}

// origin says where what is at a key or inside a repository came from.
func (l *loader) origin(at string) string {
	if from, ok := l.from[at]; ok {
		return from
	}
	repository, _, _ := strings.Cut(at, "].")
	if from := l.from[repository+"]"]; from == "--repository" {
		return from
	}
	return l.file.where(at)
}
