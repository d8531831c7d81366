package interchange

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// Read takes the content of a database that etcd or Write has made. The file
// must be without a SHA-256 behind it (see Unwrap), and nobody may write it.
// Errors wrap ErrBadFile, or are the disk's.
func Read(path string, o mvcc.Options) (*state.Import, error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o400, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadFile, err)
	}
	in := &state.Import{}
	err = db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(bucketKey) == nil || tx.Bucket(bucketMeta) == nil {
			return fmt.Errorf("%w: no bucket \"key\" or no bucket \"meta\"", ErrBadFile)
		}
		for _, read := range []func(*bbolt.Tx, *state.Import) error{readLeases, readAlarms, readAuth} {
			if err := read(tx, in); err != nil {
				return err
			}
		}
		in.Store, err = readKeys(tx, o)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return in, nil
}

func checkFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return checkPages(file, info.Size())
}

// each visits the rows of a bucket, which may be missing.
func each(tx *bbolt.Tx, bucket []byte, visit func(k, v []byte) error) error {
	b := tx.Bucket(bucket)
	if b == nil {
		return nil
	}
	return b.ForEach(visit)
}

func readLeases(tx *bbolt.Tx, in *state.Import) error {
	return each(tx, bucketLease, func(k, v []byte) error {
		l, err := decodeLease(v)
		if err != nil {
			return err
		}
		if len(k) != 8 || binary.BigEndian.Uint64(k) != uint64(l.ID) {
			return fmt.Errorf("%w: lease %x under the key %x", ErrBadFile, l.ID, k)
		}
		in.Leases = append(in.Leases, l)
		return nil
	})
}

// readAlarms keeps those of nobody in particular: members get new ids, and an
// alarm of one that doesn't exist could never be disarmed. So they become those
// of member 0.
func readAlarms(tx *bbolt.Tx, in *state.Import) error {
	err := each(tx, bucketAlarm, func(k, _ []byte) error {
		var m pb.AlarmMember
		if err := proto.Unmarshal(k, &m); err != nil {
			return fmt.Errorf("%w: alarm %x: %w", ErrBadFile, k, err)
		}
		kind := state.AlarmKind(m.Alarm)
		if m.Alarm <= 0 || m.Alarm > pb.AlarmType_CORRUPT {
			return fmt.Errorf("%w: alarm %v", ErrBadFile, m.Alarm)
		}
		in.Alarms = append(in.Alarms, state.Alarm{Kind: kind})
		return nil
	})
	slices.SortFunc(in.Alarms, func(a, b state.Alarm) int { return cmp.Compare(a.Kind, b.Kind) })
	in.Alarms = slices.Compact(in.Alarms)
	return err
}

func readAuth(tx *bbolt.Tx, in *state.Import) error {
	revision, enabled := uint64(1), false
	if b := tx.Bucket(bucketAuth); b != nil {
		if v := b.Get(nameAuthRevision); len(v) == 8 {
			revision = max(binary.BigEndian.Uint64(v), 1)
		}
		enabled = bytes.Equal(b.Get(nameAuthEnabled), []byte{1})
	}
	var roles []*auth.Role
	var users []*auth.User
	err := errors.Join(
		each(tx, bucketRoles, func(_, v []byte) error {
			var r authpb.Role
			if err := proto.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("%w: role: %w", ErrBadFile, err)
			}
			roles = append(roles, roleFromPB(&r))
			return nil
		}),
		each(tx, bucketUsers, func(_, v []byte) error {
			var u authpb.User
			if err := proto.Unmarshal(v, &u); err != nil {
				return fmt.Errorf("%w: user: %w", ErrBadFile, err)
			}
			users = append(users, userFromPB(&u, revision))
			return nil
		}))
	if err != nil {
		return err
	}
	enabledAt := uint64(0)
	if enabled {
		enabledAt = revision
	}
	if in.Auth, err = auth.Restore(revision, enabledAt, roles, users); err != nil {
		return fmt.Errorf("%w: %w", ErrBadFile, err)
	}
	return nil
}

func roleFromPB(r *authpb.Role) *auth.Role {
	out := &auth.Role{Name: string(r.Name)}
	for _, p := range r.KeyPermission {
		out.Permissions = append(out.Permissions, auth.Permission{Access: auth.Access(p.PermType), Key: p.Key, End: p.RangeEnd})
	}
	slices.SortStableFunc(out.Permissions, func(a, b auth.Permission) int { return bytes.Compare(a.Key, b.Key) })
	return out
}

func userFromPB(u *authpb.User, since uint64) *auth.User {
	return &auth.User{
		Name: string(u.Name), Hash: u.Password, NoPassword: u.Options.GetNoPassword(),
		Roles: slices.Compact(slices.Sorted(slices.Values(u.Roles))), Since: since,
	}
}
