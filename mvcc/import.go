package mvcc

// NewImporter begins a store from records that no Exporter has made: history
// that another program has written. Nothing is known of their hash, so meta's
// Chain and Live don't count; all else is checked as ever. Equal records make
// equal stores.
func NewImporter(meta SnapshotMeta, o Options) (*Loader, error) {
	meta.Chain, meta.Live = 0, 0
	l, err := NewLoader(meta, o)
	if err != nil {
		return nil, err
	}
	l.foreign = true
	return l, nil
}
