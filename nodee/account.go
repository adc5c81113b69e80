package nodee

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"strconv"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// account is whom a service runs as.
type account struct {
	name string
	uid  int
	gid  int
	as   *supervise.Account // nil: the daemon's own account, nothing to switch
}

// accountOf looks up whom a spec wants to run as. Its error has the faulty fields.
func accountOf(s service.Spec) (account, error) {
	a := account{uid: os.Geteuid(), gid: os.Getegid()}
	var faults []fault.Field
	var groups []uint32
	if me, err := user.LookupId(strconv.Itoa(a.uid)); err == nil {
		a.name = me.Username
	} else {
		a.name = strconv.Itoa(a.uid)
	}
	if s.User != "" {
		u, err := lookupUser(s.User)
		if err != nil {
			faults = append(faults, fault.Field{Location: "user", Message: err.Error(), Value: s.User})
		} else {
			a.name, a.uid, a.gid, groups = u.name, u.uid, u.gid, u.groups
		}
	}
	if s.Group != "" {
		gid, err := lookupGroup(s.Group)
		if err != nil {
			faults = append(faults, fault.Field{Location: "group", Message: err.Error(), Value: s.Group})
		}
		a.gid = gid
	}
	if len(faults) == 0 && (a.uid != os.Geteuid() || a.gid != os.Getegid()) {
		if os.Geteuid() != 0 {
			at := map[bool]string{true: "user", false: "group"}[s.User != ""]
			faults = append(faults, fault.Field{Location: at, Message: "the daemon does not run as root, so it cannot run services as somebody else"})
		}
		a.as = &supervise.Account{UID: uint32(a.uid), GID: uint32(a.gid), Groups: groups}
	}
	return a, fault.Fields("the service cannot run as it should", faults)
}

type systemUser struct {
	name     string
	uid, gid int
	groups   []uint32
}

// lookupUser finds a user by name or number. A number needs no entry in the user database:
// it is its own name then, and its group has the same number.
func lookupUser(s string) (systemUser, error) {
	u, err := user.Lookup(s)
	if n, numeric := number(s); err != nil && numeric {
		if u, err = user.LookupId(s); err != nil {
			return systemUser{name: s, uid: n, gid: n}, nil
		}
	}
	if unknown := user.UnknownUserError(""); errors.As(err, &unknown) {
		return systemUser{}, fmt.Errorf("there is no user %s on this host", s)
	}
	if err != nil {
		return systemUser{}, fmt.Errorf("cannot look up the user %s: %w", s, err)
	}
	out := systemUser{name: u.Username}
	if out.uid, err = strconv.Atoi(u.Uid); err != nil {
		return systemUser{}, fmt.Errorf("the user %s has no numeric id", s)
	}
	if out.gid, err = strconv.Atoi(u.Gid); err != nil {
		return systemUser{}, fmt.Errorf("the user %s has no numeric group", s)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return systemUser{}, fmt.Errorf("cannot look up the groups of the user %s: %w", s, err)
	}
	for _, id := range ids {
		if n, ok := number(id); ok {
			out.groups = append(out.groups, uint32(n))
		}
	}
	return out, nil
}

func lookupGroup(s string) (int, error) {
	g, err := user.LookupGroup(s)
	if err == nil {
		if n, ok := number(g.Gid); ok {
			return n, nil
		}
	}
	if n, numeric := number(s); numeric {
		return n, nil
	}
	if unknown := user.UnknownGroupError(""); errors.As(err, &unknown) {
		return 0, fmt.Errorf("there is no group %s on this host", s)
	}
	return 0, fmt.Errorf("cannot look up the group %s: %w", s, err)
}

// number reads a user's or a group's number. The highest one means "as it is" to the kernel.
func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil && n != math.MaxUint32
}
