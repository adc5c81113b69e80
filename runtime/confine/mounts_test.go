package confine

import (
	"slices"
	"testing"
)

// table is as the kernel writes it: a root, a disk of its own below it, and a bind mount of
// part of each in other places.
const table = `20 1 254:0 / / rw,relatime - ext4 /dev/vda rw
21 20 0:5 / /dev rw - devtmpfs devtmpfs rw
22 20 254:16 / /var/lib rw - ext4 /dev/vdb rw
23 20 254:16 /nodee /srv/a\040copy rw - ext4 /dev/vdb rw
24 20 254:16 /nodee/software/g /srv/g rw - ext4 /dev/vdb rw
25 20 254:16 /dpkg /srv/dpkg rw - ext4 /dev/vdb rw
26 20 254:0 /var/lib /old rw - ext4 /dev/vda rw
27 22 254:32 / /var/lib/nodee/software/big rw - ext4 /dev/vdc rw
28 20 254:32 /part /srv/part rw - ext4 /dev/vdc rw
`

func TestWhereAFolderIsSeen(t *testing.T) {
	mounts := parseMounts(table)
	for folder, want := range map[string][]string{
		"/var/lib/nodee/software": {"/srv/a copy/software", "/srv/g", "/srv/part", "/var/lib/nodee/software", "/var/lib/nodee/software/big"},
		"/var/lib/nodee/state":    {"/srv/a copy/state", "/var/lib/nodee/state"},
		"/opt/nodee/software":     {"/opt/nodee/software"},
		"/var/lib":                {"/srv/a copy", "/srv/dpkg", "/srv/g", "/srv/part", "/var/lib", "/var/lib/nodee/software/big"},
	} {
		if got := placesOf([]string{folder}, mounts); !slices.Equal(got, want) {
			t.Errorf("%s is seen at %q; want %q", folder, got, want)
		}
	}
}

// The last of several mounts in one place is what is seen there.
func TestTheLastMountHidesOthers(t *testing.T) {
	mounts := parseMounts("1 0 8:1 / / rw\n2 1 8:2 / /p rw\n3 1 8:3 /x /p rw\n4 1 8:3 / /alias rw\n")
	if got, want := placesOf([]string{"/p/s"}, mounts), []string{"/alias/x/s", "/p/s"}; !slices.Equal(got, want) {
		t.Errorf("seen at %q; want %q", got, want)
	}
}
