package dev.holdfast.examples;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.kv.GetResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** Puts one setting and reads it back: the smallest program there is. */
public final class EtcdConfigManagement {
  private EtcdConfigManagement() {}

  public static void main(String[] args) throws Exception {
    try (Client client = Connect.client(args)) {
      ByteSequence key = ByteSequence.from("config/db", StandardCharsets.UTF_8);
      ByteSequence value = ByteSequence.from("localhost:3306", StandardCharsets.UTF_8);

      client.getKVClient().put(key, value).get(30, TimeUnit.SECONDS); // without a server, not for ever

      GetResponse response = client.getKVClient().get(key).get(30, TimeUnit.SECONDS);
      System.out.println("Value: " + response.getKvs().get(0).getValue().toString(StandardCharsets.UTF_8));
    }
  }
}
