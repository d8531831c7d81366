package dev.holdfast.examples;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.kv.TxnResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.PutOption;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Moves money between two accounts, many times, while others do the same: both balances change in one transaction that
 * holds only if neither has changed since they were read. The receipt, written with it, makes each transfer happen once,
 * however often it is tried.
 */
public final class Transfer {
  private static final int ACCOUNTS = 4;

  private final Client client;

  private Transfer(Client client) {
    this.client = client;
  }

  /** Arguments: endpoints, how many transfers. */
  public static void main(String[] args) throws Exception {
    int transfers = args.length > 1 ? Integer.parseInt(args[1]) : 50;
    try (Client client = Connect.client(args)) {
      Transfer bank = new Transfer(client);
      bank.open();
      int done = 0;
      for (int i = 0; i < transfers; i++) {
        int from = ThreadLocalRandom.current().nextInt(ACCOUNTS);
        int to = (from + 1 + ThreadLocalRandom.current().nextInt(ACCOUNTS - 1)) % ACCOUNTS;
        if (bank.transfer(account(from), account(to), 1 + ThreadLocalRandom.current().nextInt(10))) {
          done++;
        }
      }
      System.out.println("Transfers: " + done);
    }
  }

  private static ByteSequence account(int n) {
    return Connect.bytes("java-accounts/" + n);
  }

  /** Gives each account 100, unless the accounts are there already. */
  private void open() throws Exception {
    Op[] puts = new Op[ACCOUNTS];
    for (int n = 0; n < ACCOUNTS; n++) {
      puts[n] = Op.put(account(n), Connect.bytes("100"), PutOption.DEFAULT);
    }
    Connect.retry(() -> Connect.await(client.getKVClient().txn()
        .If(new Cmp(account(0), Cmp.Op.EQUAL, CmpTarget.version(0)))
        .Then(puts)
        .commit()));
  }

  /** False: there is not enough money. */
  private boolean transfer(ByteSequence from, ByteSequence to, int amount) throws Exception {
    ByteSequence receipt = Connect.bytes("java-transfers/" + UUID.randomUUID());
    while (true) {
      Boolean done = Connect.retry(() -> attempt(receipt, from, to, amount));
      if (done != null) {
        return done;
      }
      Thread.sleep(ThreadLocalRandom.current().nextInt(20)); // somebody was faster: come apart
    }
  }

  /** Null: somebody else changed an account in between. */
  private Boolean attempt(ByteSequence receipt, ByteSequence from, ByteSequence to, int amount) throws Exception {
    TxnResponse read = Connect.await(client.getKVClient().txn()
        .Then(Op.get(receipt, GetOption.DEFAULT), Op.get(from, GetOption.DEFAULT), Op.get(to, GetOption.DEFAULT))
        .commit());
    if (!keys(read, 0).isEmpty()) {
      return true; // an earlier attempt had gone through
    }
    KeyValue giver = keys(read, 1).get(0);
    KeyValue taker = keys(read, 2).get(0);
    int left = money(giver) - amount;
    if (left < 0) {
      return false;
    }
    TxnResponse written = Connect.await(client.getKVClient().txn()
        .If(new Cmp(receipt, Cmp.Op.EQUAL, CmpTarget.version(0)), unchanged(giver), unchanged(taker))
        .Then(Op.put(receipt, Connect.bytes(Integer.toString(amount)), PutOption.DEFAULT),
            Op.put(from, Connect.bytes(Integer.toString(left)), PutOption.DEFAULT),
            Op.put(to, Connect.bytes(Integer.toString(money(taker) + amount)), PutOption.DEFAULT))
        .commit());
    return written.isSucceeded() ? true : null;
  }

  private static List<KeyValue> keys(TxnResponse response, int n) {
    return response.getGetResponses().get(n).getKvs();
  }

  private static int money(KeyValue account) {
    return Integer.parseInt(account.getValue().toString());
  }

  private static Cmp unchanged(KeyValue kv) {
    return new Cmp(kv.getKey(), Cmp.Op.EQUAL, CmpTarget.modRevision(kv.getModRevision()));
  }
}
