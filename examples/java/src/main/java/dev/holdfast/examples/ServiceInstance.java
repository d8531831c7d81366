package dev.holdfast.examples;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.lease.LeaseKeepAliveResponse;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.support.CloseableClient;
import io.etcd.jetcd.support.Observers;
import java.util.concurrent.CountDownLatch;

/**
 * A service that stays registered while it lives: {@code services/NAME/ADDRESS}, bound to a lease that is kept alive.
 *
 * <p>If the process is killed, the lease runs out and the registration is gone within the TTL. If it is stopped in
 * peace, it revokes the lease and is gone at once. If it was asleep, or cut off, for longer than the TTL, the store has
 * forgotten it, with reason; it finds out when its keep-alives end, and registers again.
 */
public final class ServiceInstance {
  private static final long TTL_SECONDS = 5;

  private final Client client;
  private final ByteSequence key;
  private final ByteSequence address;
  private volatile long lease;
  private volatile CloseableClient keeper;

  private ServiceInstance(Client client, String service, String address) {
    this.client = client;
    this.key = Connect.bytes("services/" + service + "/" + address);
    this.address = Connect.bytes(address);
  }

  /** Arguments: endpoints, the service's name, the address to register. */
  public static void main(String[] args) throws Exception {
    String service = args.length > 1 ? args[1] : "service1";
    String address = args.length > 2 ? args[2] : "192.168.0.1:8080";
    Client client = Connect.client(args);
    ServiceInstance instance = new ServiceInstance(client, service, address);
    Runtime.getRuntime().addShutdownHook(new Thread(instance::leave));
    while (true) {
      CountDownLatch lost = instance.enter();
      System.out.println("Registered " + address + " as " + service);
      lost.await();
      instance.keeper.close();
      System.out.println("The lease was lost; registering again");
    }
  }

  /** Registers. A grant that happened twice leaves a lease that runs out unused; a put that did is the same put. */
  private CountDownLatch enter() throws Exception {
    lease = Connect.retry(() -> Connect.await(client.getLeaseClient().grant(TTL_SECONDS)).getID());
    PutOption bound = PutOption.builder().withLeaseId(lease).build();
    Connect.retry(() -> Connect.await(client.getKVClient().put(key, address, bound)));

    CountDownLatch lost = new CountDownLatch(1);
    keeper = client.getLeaseClient().keepAlive(lease, Observers.<LeaseKeepAliveResponse>builder()
        .onError(error -> lost.countDown())
        .onCompleted(lost::countDown)
        .build());
    return lost;
  }

  /** Signs off at once. */
  private void leave() {
    try {
      keeper.close();
      Connect.await(client.getLeaseClient().revoke(lease));
      System.out.println("Signed off");
    } catch (Exception e) {
      System.out.println("Could not sign off, so the registration ends with its TTL: " + e.getMessage());
    }
  }
}
