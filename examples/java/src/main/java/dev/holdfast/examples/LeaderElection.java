package dev.holdfast.examples;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.election.LeaderKey;
import io.etcd.jetcd.lease.LeaseKeepAliveResponse;
import io.etcd.jetcd.support.CloseableClient;
import io.etcd.jetcd.support.Observers;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Candidates of whom one leads. A leader that stops in peace resigns, and the next leads at once; one that is killed is
 * replaced when its lease has run out.
 */
public final class LeaderElection {
  private static final ByteSequence ELECTION = Connect.bytes("elections/java");

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
      while (!elected.isDone() && stop.getCount() > 0) {
        stop.await(20, TimeUnit.MILLISECONDS);
      }
      if (!elected.isDone()) {
        return;
      }
      LeaderKey leader = elected.get().getLeader();
      System.out.println(name + " leads since revision " + leader.getRevision());
      while (stop.getCount() > 0 && !over.await(50, TimeUnit.MILLISECONDS)) {
        // The leader's work goes here, and each write of it is guarded by leader.getKey(), as LockedCounter's are.
      }
      System.out.println(name + " leads no more");
      if (over.getCount() > 0) {
        Connect.retry(() -> Connect.await(client.getElectionClient().resign(leader)));
      }
    } finally {
      if (over.getCount() > 0) { // else the store has ended the lease itself
        Connect.retry(() -> Connect.await(client.getLeaseClient().revoke(lease)));
      }
    }
  }
}
