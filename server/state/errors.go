package state

import (
	"errors"

	"github.com/holdfast-db/holdfast/mvcc"
)

// Outcomes of a command, in Result.Err: every replica gets the same one for
// the same entry. The API layer maps them to etcd's texts and codes.
var (
	// ErrLeaseExists: a grant named an id that is taken.
	ErrLeaseExists = errors.New("state: lease already exists")
	// ErrLeaseTTLTooLarge: a grant asked for more than LeaseTTLMax.
	ErrLeaseTTLTooLarge = errors.New("state: too large lease TTL")
	// ErrLeaseNotFound: no such lease (the same value as mvcc's).
	ErrLeaseNotFound = mvcc.ErrLeaseNotFound
	// ErrStaleTerm: the revocation of an expired lease was proposed by the
	// leader of another term than the one that committed it; it is void, since
	// a newer leader may have promised the lease's owner more time.
	ErrStaleTerm = errors.New("state: proposed in another term")
	// ErrNoSpace: a NOSPACE alarm is raised and the command would add data.
	ErrNoSpace = errors.New("state: database space exceeded")
	// ErrCorrupt: a CORRUPT alarm is raised; nothing is written.
	ErrCorrupt = errors.New("state: corrupt cluster")
	// ErrMemberNotFound: attributes or an alarm of someone who isn't a member.
	ErrMemberNotFound = errors.New("state: member not found")

	// ErrDuplicate: the very same request was applied before. It wasn't
	// applied again; whoever waited got the first answer.
	ErrDuplicate = errors.New("state: request was applied before")
	// ErrAmbiguous: the request can't be told from one that was applied
	// before (it is below its origin's window, of an earlier boot, or of
	// another incarnation), so it was not applied now.
	ErrAmbiguous = errors.New("state: request may have been applied before")
)

// Errors of decoding. Entries and snapshots are checked before they are
// trusted, so on a replica they mean damage or a newer format, never a client's
// mistake.
var (
	// ErrMalformed: the bytes are not what an encoder here writes.
	ErrMalformed = errors.New("state: malformed data")
	// ErrUnknownFormat: a version, kind or section that this release doesn't
	// know, probably written by a newer one.
	ErrUnknownFormat = errors.New("state: unknown format")
	// ErrInvalidBody: a request that must not be proposed (CheckBody).
	ErrInvalidBody = errors.New("state: invalid request")
)
