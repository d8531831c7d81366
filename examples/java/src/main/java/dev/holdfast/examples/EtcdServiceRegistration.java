package dev.holdfast.examples;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.options.PutOption;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/**
 * Registers a service for five seconds: a key bound to a lease that nobody keeps alive. {@link ServiceInstance} stays
 * registered for as long as it lives.
 */
public final class EtcdServiceRegistration {
  private EtcdServiceRegistration() {}

  public static void main(String[] args) throws Exception {
    try (Client client = Connect.client(args)) {
      long lease = client.getLeaseClient().grant(5).get(30, TimeUnit.SECONDS).getID();

      ByteSequence key = ByteSequence.from("services/service1", StandardCharsets.UTF_8);
      ByteSequence value = ByteSequence.from("192.168.0.1:8080", StandardCharsets.UTF_8);
      PutOption bound = PutOption.builder().withLeaseId(lease).build();
      client.getKVClient().put(key, value, bound).get(30, TimeUnit.SECONDS);

      System.out.println("Service registered successfully");
    }
  }
}
