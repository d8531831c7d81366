package dev.holdfast.examples;

import static io.etcd.jetcd.support.Observers.observer;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.Txn;
import io.etcd.jetcd.kv.TxnResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.support.CloseableClient;
import java.util.List;

/**
 * Several processes take turns with a lock and count, each turn by one.
 *
 * <p>The lock's holder owns a key of the store, bound to its lease. The holder may fall asleep, lose the lease and not
 * know it. So every write is a transaction that holds only while that key is still the one it got: a sleeper writes
 * nothing. This works because what is guarded lies in the store itself; for anything else the key's create revision
 * must go along as a token that the guarded thing checks, as the Go example {@code lock} shows.
 */
public final class LockedCounter {
  private static final ByteSequence COUNTER = Connect.bytes("jobs/java-counter");

  private LockedCounter() {}

  /** Arguments: endpoints, this process's name, how many turns, seconds to sleep in the first, as if suspended. */
  public static void main(String[] args) throws Exception {
    String name = args.length > 1 ? args[1] : "worker";
    int turns = args.length > 2 ? Integer.parseInt(args[2]) : 10;
    long stall = args.length > 3 ? Long.parseLong(args[3]) : 0;
    try (Client client = Connect.client(args)) {
      for (int done = 0; done < turns; ) {
        try {
          long nap = stall;
          stall = 0;
          System.out.println(name + " counted " + turn(client, name + "/" + done, nap));
          done++;
        } catch (Exception e) {
          System.out.println(name + " lost its turn: " + e.getMessage());
          Thread.sleep(100);
        }
      }
    }
  }

  /** One turn: a lease, the lock, the write, and all of it given back. */
  private static long turn(Client client, String mark, long stall) throws Exception {
    long lease = Connect.retry(() -> Connect.await(client.getLeaseClient().grant(3)).getID());
    try (CloseableClient keeper = client.getLeaseClient().keepAlive(lease, observer(answer -> {}))) {
      // Waiting in line takes as long as it takes; if the server dies meanwhile, the turn begins anew.
      ByteSequence key = client.getLockClient().lock(Connect.bytes("locks/java"), lease).get().getKey();
      KeyValue mine = Connect.retry(() -> Connect.await(client.getKVClient().get(key)).getKvs().get(0));
      if (stall > 0) {
        keeper.close(); // who is suspended keeps no lease alive
        Thread.sleep(1000 * stall);
      }
      return count(client, mine, Connect.bytes("jobs/java-marks/" + mark));
    } finally {
      Connect.end(client, lease);
    }
  }

  /**
   * Counts by one. The mark says that this turn has counted: if an attempt's outcome was unclear, the next finds the
   * mark instead of counting again.
   */
  private static long count(Client client, KeyValue lock, ByteSequence mark) throws Exception {
    return Connect.retry(() -> {
      List<KeyValue> seen = Connect.await(client.getKVClient().get(COUNTER)).getKvs();
      long value = seen.isEmpty() ? 1 : Long.parseLong(seen.get(0).getValue().toString()) + 1;
      Txn txn = client.getKVClient().txn();
      TxnResponse answer = Connect.await(
          txn.If(new Cmp(lock.getKey(), Cmp.Op.EQUAL, CmpTarget.createRevision(lock.getCreateRevision())),
                  new Cmp(mark, Cmp.Op.EQUAL, CmpTarget.version(0)))
              .Then(Op.put(COUNTER, Connect.bytes(Long.toString(value)), PutOption.DEFAULT),
                  Op.put(mark, Connect.bytes(Long.toString(value)), PutOption.DEFAULT))
              .Else(Op.get(mark, GetOption.DEFAULT))
              .commit());
      if (answer.isSucceeded()) {
        return value;
      }
      List<KeyValue> earlier = answer.getGetResponses().get(0).getKvs();
      if (earlier.isEmpty()) {
        throw new IllegalStateException("the lock is no longer ours");
      }
      return Long.parseLong(earlier.get(0).getValue().toString());
    });
  }
}
