package interchange

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// batchRecords are written in one transaction of the database, which holds its
// pages in memory until it ends.
const batchRecords = 10_000

// Write makes a database of a view at path, where there must be no file. The
// state goes on meanwhile. On an error the file is of no use. It isn't synced:
// it is there to be copied.
func Write(path string, v *state.View, removed []uint64) (err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true, NoGrowSync: true})
	if err != nil {
		return fmt.Errorf("interchange: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Update(func(tx *bbolt.Tx) error { return writeSmall(tx, v, removed) }); err != nil {
		return fmt.Errorf("interchange: %w", err)
	}
	if err := writeLeases(db, v); err != nil {
		return fmt.Errorf("interchange: leases: %w", err)
	}
	if err := writeKeys(db, v.KV.Exporter()); err != nil {
		return fmt.Errorf("interchange: keys: %w", err)
	}
	return nil
}

// writeSmall writes all but leases and keys.
func writeSmall(tx *bbolt.Tx, v *state.View, removed []uint64) error {
	for _, name := range allBuckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	for _, write := range []func(*bbolt.Tx, *state.View) error{writeMeta, writeMembers, writeAlarms, writeAuth} {
		if err := write(tx, v); err != nil {
			return err
		}
	}
	for _, id := range removed {
		if err := tx.Bucket(bucketRemoved).Put(hexID(id), []byte("removed")); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketCluster).Put(nameClusterVersion, []byte(StorageVersion))
}

func hexID(id uint64) []byte { return []byte(strconv.FormatUint(id, 16)) }

func writeMeta(tx *bbolt.Tx, v *state.View) error {
	voters := struct {
		Voters    []uint64 `json:"voters"`
		Learners  []uint64 `json:"learners,omitempty"`
		AutoLeave bool     `json:"auto_leave"`
	}{}
	for _, m := range v.Members() {
		if m.Learner {
			voters.Learners = append(voters.Learners, m.ID)
		} else {
			voters.Voters = append(voters.Voters, m.ID)
		}
	}
	confState, err := json.Marshal(voters)
	if err != nil {
		return err
	}
	rows := map[string][]byte{
		string(nameIndex):          binary.BigEndian.AppendUint64(nil, v.AppliedIndex()),
		string(nameTerm):           binary.BigEndian.AppendUint64(nil, v.AppliedTerm()),
		string(nameStorageVersion): []byte(StorageVersion),
		string(nameConfState):      confState,
	}
	if compacted := v.CompactRevision(); compacted > 0 {
		r := appendRevision(nil, mvcc.Revision{Main: compacted}, false)
		rows[string(nameScheduled)], rows[string(nameFinished)] = r, r
	}
	for name, value := range rows { // the database sorts them
		if err := tx.Bucket(bucketMeta).Put([]byte(name), value); err != nil {
			return err
		}
	}
	return nil
}

func writeMembers(tx *bbolt.Tx, v *state.View) error {
	for _, m := range v.Members() {
		row, err := json.Marshal(memberJSON{ID: m.ID, PeerURLs: m.PeerURLs, IsLearner: m.Learner, Name: m.Name, ClientURLs: m.ClientURLs})
		if err != nil {
			return err
		}
		if err := tx.Bucket(bucketMembers).Put(hexID(m.ID), row); err != nil {
			return err
		}
	}
	return nil
}

func writeAlarms(tx *bbolt.Tx, v *state.View) error {
	for _, a := range v.Alarms() {
		key, err := proto.Marshal(&pb.AlarmMember{MemberID: a.Member, Alarm: pb.AlarmType(a.Kind)})
		if err != nil {
			return err
		}
		if err := tx.Bucket(bucketAlarm).Put(key, nil); err != nil {
			return err
		}
	}
	return nil
}

func writeAuth(tx *bbolt.Tx, v *state.View) error {
	table, enabled := v.Auth(), byte(0)
	if table.Enabled() {
		enabled = 1
	}
	err := errors.Join(
		tx.Bucket(bucketAuth).Put(nameAuthEnabled, []byte{enabled}),
		tx.Bucket(bucketAuth).Put(nameAuthRevision, binary.BigEndian.AppendUint64(nil, table.Revision())),
	)
	put := func(bucket []byte, name string, m proto.Message) bool {
		var row []byte
		if row, err = proto.Marshal(m); err == nil {
			err = tx.Bucket(bucket).Put([]byte(name), row)
		}
		return err == nil
	}
	if err == nil {
		table.AscendRoles(func(r *auth.Role) bool { return put(bucketRoles, r.Name, roleToPB(r)) })
	}
	if err == nil {
		table.AscendUsers(func(u *auth.User) bool { return put(bucketUsers, u.Name, userToPB(u)) })
	}
	return err
}

func roleToPB(r *auth.Role) *authpb.Role {
	out := &authpb.Role{Name: []byte(r.Name)}
	for _, p := range r.Permissions {
		out.KeyPermission = append(out.KeyPermission,
			&authpb.Permission{PermType: authpb.Permission_Type(p.Access), Key: p.Key, RangeEnd: p.End})
	}
	return out
}

func userToPB(u *auth.User) *authpb.User {
	return &authpb.User{
		Name: []byte(u.Name), Password: u.Hash, Roles: u.Roles,
		Options: &authpb.UserAddOptions{NoPassword: u.NoPassword},
	}
}

// writeLeases writes them in order of their encoding, batch by batch.
func writeLeases(db *bbolt.DB, v *state.View) error {
	b := batcher{db: db, bucket: bucketLease}
	var err error
	v.AscendLeases(func(l state.Lease) bool {
		err = b.put(binary.BigEndian.AppendUint64(nil, uint64(l.ID)), appendLease(nil, l))
		return err == nil
	})
	return errors.Join(err, b.end())
}

// writeKeys writes the history. It comes in the order of revisions, which is
// that of the bucket, so pages are filled to the brim.
func writeKeys(db *bbolt.DB, e *mvcc.Exporter) error {
	b := batcher{db: db, bucket: bucketKey}
	for r, ok := e.Next(); ok; r, ok = e.Next() {
		kv := &mvccpb.KeyValue{Key: r.Key}
		if r.Version > 0 {
			kv.Value, kv.Lease = r.Value, r.Lease
			kv.Version, kv.CreateRevision, kv.ModRevision = r.Version, r.CreateRevision, r.Revision.Main
		}
		row, err := proto.Marshal(kv)
		if err == nil {
			err = b.put(appendRevision(nil, r.Revision, r.Version == 0), row)
		}
		if err != nil {
			return errors.Join(err, b.end())
		}
	}
	return b.end()
}

// batcher writes rows of a bucket, a bounded number in one transaction.
type batcher struct {
	db     *bbolt.DB
	bucket []byte
	tx     *bbolt.Tx
	rows   int
}

func (b *batcher) put(key, value []byte) (err error) {
	if b.tx == nil {
		if b.tx, err = b.db.Begin(true); err != nil {
			return err
		}
	}
	bucket := b.tx.Bucket(b.bucket)
	bucket.FillPercent = 1
	if err := bucket.Put(key, value); err != nil {
		return err
	}
	if b.rows++; b.rows%batchRecords == 0 {
		return b.end()
	}
	return nil
}

// end commits what is left.
func (b *batcher) end() error {
	if b.tx == nil {
		return nil
	}
	tx := b.tx
	b.tx = nil
	return tx.Commit()
}
