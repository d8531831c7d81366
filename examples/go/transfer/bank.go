package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

// The keys:
//
//	accounts/000   a balance
//	transfers/ID   what was moved: the receipt of one transfer, written with it
const (
	accountsPrefix  = "accounts/"
	transfersPrefix = "transfers/"
)

func account(n int) string { return fmt.Sprintf("%s%03d", accountsPrefix, n) }

type bank struct{ client *clientv3.Client }

// open makes the accounts, all in one transaction or, when they are there already, none.
func (b *bank) open(ctx context.Context, accounts, each int) error {
	var puts []clientv3.Op
	for n := range accounts {
		puts = append(puts, clientv3.OpPut(account(n), strconv.Itoa(each)))
	}
	return connect.Retry(ctx, func(ctx context.Context) error {
		_, err := b.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(account(0)), "=", 0)).
			Then(puts...).
			Commit()
		return err
	})
}

// errPoor: the account has less than was to be taken from it.
var errPoor = errors.New("not enough money")

// balance is an account as it was read.
type balance struct {
	money    int
	revision int64
}

// transfer moves an amount. It reads both balances, then writes both if neither has changed since: optimistic, without
// locks. Whoever was overtaken reads again. It returns how often it had to.
//
// The receipt makes it happen once. An attempt whose outcome is unclear (the leader died: was it before or after?) is
// followed by another that holds only if there is no receipt yet, and one that finds its receipt is done.
func (b *bank) transfer(ctx context.Context, from, to, amount int) (again int, err error) {
	receipt := transfersPrefix + rand.Text()
	for ; ctx.Err() == nil; again++ {
		attempt, cancel := context.WithTimeout(ctx, connect.Attempt)
		done, err := b.try(attempt, receipt, account(from), account(to), amount)
		cancel()
		switch {
		case done:
			return again, nil
		case err != nil && !connect.Unclear(err):
			return again, err
		}
		backOff(ctx, again)
	}
	return again, ctx.Err()
}

// try is one attempt. False without an error means that somebody else was faster.
func (b *bank) try(ctx context.Context, receipt, from, to string, amount int) (done bool, err error) {
	r, err := b.client.Txn(ctx).Then(clientv3.OpGet(receipt), clientv3.OpGet(from), clientv3.OpGet(to)).Commit()
	if err != nil {
		return false, err
	}
	if len(r.Responses[0].GetResponseRange().Kvs) > 0 {
		return true, nil // an earlier attempt had gone through
	}
	giver, err := parse(from, r, 1)
	if err != nil {
		return false, err
	}
	taker, err := parse(to, r, 2)
	if err != nil {
		return false, err
	}
	if giver.money < amount {
		return false, errPoor
	}
	w, err := b.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(receipt), "=", 0),
			clientv3.Compare(clientv3.ModRevision(from), "=", giver.revision),
			clientv3.Compare(clientv3.ModRevision(to), "=", taker.revision)).
		Then(clientv3.OpPut(receipt, fmt.Sprintf("%s %s %d", from, to, amount)),
			clientv3.OpPut(from, strconv.Itoa(giver.money-amount)),
			clientv3.OpPut(to, strconv.Itoa(taker.money+amount))).
		Commit()
	return err == nil && w.Succeeded, err
}

func parse(key string, r *clientv3.TxnResponse, n int) (balance, error) {
	kvs := r.Responses[n].GetResponseRange().Kvs
	if len(kvs) == 0 {
		return balance{}, fmt.Errorf("there is no account %s: `transfer open` makes them", key)
	}
	money, err := strconv.Atoi(string(kvs[0].Value))
	return balance{money: money, revision: kvs[0].ModRevision}, err
}

// backOff waits a random time that grows with each attempt, so that those who got in each other's way come apart.
func backOff(ctx context.Context, attempt int) {
	longest := time.Millisecond << min(attempt, 7)
	select {
	case <-ctx.Done():
	case <-time.After(mathrand.N(longest)):
	}
}

// totals is what check found.
type totals struct{ accounts, sum, lowest, transfers int }

// check reads all accounts at one revision: balances that belong to one moment.
func (b *bank) check(ctx context.Context) (t totals, err error) {
	r, err := b.client.Txn(ctx).Then(
		clientv3.OpGet(accountsPrefix, clientv3.WithPrefix()),
		clientv3.OpGet(transfersPrefix, clientv3.WithPrefix(), clientv3.WithCountOnly())).Commit()
	if err != nil {
		return t, err
	}
	for i, kv := range r.Responses[0].GetResponseRange().Kvs {
		money, err := strconv.Atoi(string(kv.Value))
		if err != nil {
			return t, fmt.Errorf("%s: %w", kv.Key, err)
		}
		if t.accounts, t.sum = t.accounts+1, t.sum+money; i == 0 || money < t.lowest {
			t.lowest = money
		}
	}
	t.transfers = int(r.Responses[1].GetResponseRange().Count)
	if t.lowest < 0 {
		return t, errors.New("a balance is below zero")
	}
	return t, nil
}
