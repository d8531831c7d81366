package dev.holdfast.examples;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.election.LeaderKey;
import io.etcd.jetcd.kv.TxnResponse;
import io.etcd.jetcd.lease.LeaseKeepAliveResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.support.CloseableClient;
import io.etcd.jetcd.support.Observers;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Candidates of whom one leads, and counts. A leader that stops in peace resigns, and the next leads at once; one that is killed is
 * replaced when its lease has run out.
 */
public final class LeaderElection {
  private static final ByteSequence ELECTION = Connect.bytes("elections/java");
  private static final ByteSequence COUNTER = Connect.bytes("jobs/java-elected");

  private LeaderElection() {}

  /** Arguments: endpoints, this candidate's name. */
  public static void main(String[] args) throws Exception {
    String name = args.length > 1 ? args[1] : "candidate";
    CountDownLatch stop = new CountDownLatch(1);
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      stop.countDown();
      try {
        stopped.await(5, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }));
    try (Client client = Connect.client(args)) {
      while (stop.getCount() > 0) {
        try {
          candidacy(client, name, stop);
        } catch (Exception e) {
          System.out.println(name + " starts over: " + e.getMessage());
          Thread.sleep(100);
        }
      }
    } finally {
      stopped.countDown();
    }
  }

  /** Waits to be elected, leads until asked to stop or deposed, and resigns. */
  private static void candidacy(Client client, String name, CountDownLatch stop) throws Exception {
    long lease = Connect.retry(() -> Connect.await(client.getLeaseClient().grant(3)).getID());
    CountDownLatch over = new CountDownLatch(1);
    try (CloseableClient keeper = client.getLeaseClient().keepAlive(lease,
        Observers.<LeaseKeepAliveResponse>builder()
            .onError(error -> over.countDown())
            .onCompleted(over::countDown)
            .build())) {
      var elected = client.getElectionClient().campaign(ELECTION, lease, Connect.bytes(name));
      while (!elected.isDone() && over.getCount() > 0 && stop.getCount() > 0) {
        stop.await(20, TimeUnit.MILLISECONDS);
      }
      if (!elected.isDone()) {
        return; // asked to stop, or the lease was lost, and with it the place in line
      }
      LeaderKey leader = elected.get().getLeader();
      System.out.println(name + " leads since revision " + leader.getRevision());
      while (stop.getCount() > 0 && !over.await(50, TimeUnit.MILLISECONDS) && count(client, leader)) {
        // Each step is guarded, so all that is left to do here is to notice early.
      }
      System.out.println(name + " leads no more");
    } finally {
      Connect.end(client, lease); // resigns: the key is gone at once, and the next leads
    }
  }

  /**
   * The leader's work: counts by one. False: another leads. The transaction compares the leader's key, so that a leader
   * that slept through its replacement writes nothing, and the counter, so that an attempt whose outcome was unclear
   * counts once, however often it is repeated.
   */
  private static boolean count(Client client, LeaderKey leader) throws Exception {
    List<KeyValue> seen = Connect.retry(() -> Connect.await(client.getKVClient().get(COUNTER))).getKvs();
    long value = seen.isEmpty() ? 1 : Long.parseLong(seen.get(0).getValue().toString()) + 1;
    long revision = seen.isEmpty() ? 0 : seen.get(0).getModRevision();
    Cmp leads = new Cmp(leader.getKey(), Cmp.Op.EQUAL, CmpTarget.createRevision(leader.getRevision()));
    Cmp unchanged = new Cmp(COUNTER, Cmp.Op.EQUAL, CmpTarget.modRevision(revision));
    TxnResponse answer = Connect.retry(() -> Connect.await(client.getKVClient().txn()
        .If(leads, unchanged)
        .Then(Op.put(COUNTER, Connect.bytes(Long.toString(value)), PutOption.DEFAULT))
        .Else(Op.get(leader.getKey(), GetOption.DEFAULT))
        .commit()));
    // Where the leader's key still stands, an earlier attempt of ours has counted.
    return answer.isSucceeded() || !answer.getGetResponses().get(0).getKvs().isEmpty();
  }
}
