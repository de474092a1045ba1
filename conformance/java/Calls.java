// Calls a published API by the official signing SDK, then CloudAPI by the classic core. One line of output a call: name, status or
// code, and the body in Base64. Arguments: gateway host:port, api host:port, region. Keys come in the environment.
import com.alibaba.cloudapi.sdk.client.ApacheHttpClient;
import com.alibaba.cloudapi.sdk.enums.HttpMethod;
import com.alibaba.cloudapi.sdk.enums.ParamPosition;
import com.alibaba.cloudapi.sdk.enums.Scheme;
import com.alibaba.cloudapi.sdk.model.ApiRequest;
import com.alibaba.cloudapi.sdk.model.ApiResponse;
import com.alibaba.cloudapi.sdk.model.HttpClientBuilderParams;
import com.aliyuncs.DefaultAcsClient;
import com.aliyuncs.cloudapi.model.v20160714.CreateApiGroupRequest;
import com.aliyuncs.cloudapi.model.v20160714.DescribeApiGroupRequest;
import com.aliyuncs.exceptions.ClientException;
import com.aliyuncs.http.ProtocolType;
import com.aliyuncs.profile.DefaultProfile;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

public class Calls {
  static class Gateway extends ApacheHttpClient {
    Gateway(String host, String secret) {
      HttpClientBuilderParams params = new HttpClientBuilderParams();
      params.setAppKey(System.getenv("APP_KEY"));
      params.setAppSecret(secret);
      params.setHost(host);
      params.setScheme(Scheme.HTTP);
      init(params);
    }
  }

  static void print(String name, Object status, byte[] body) {
    System.out.println(name + " " + status + " " + Base64.getEncoder().encodeToString(body));
  }

  static void send(Gateway gateway, String name, ApiRequest request) {
    ApiResponse answer = gateway.sendSyncRequest(request);
    print(name, answer.getCode(), answer.getBody() == null ? new byte[0] : answer.getBody());
  }

  public static void main(String[] args) throws Exception {
    Gateway gateway = new Gateway(args[0], System.getenv("APP_SECRET"));
    ApiRequest get = new ApiRequest(HttpMethod.GET, "/seen");
    get.addParam("b", "天气 a*b~c", ParamPosition.QUERY, false);
    get.addParam("a", "1", ParamPosition.QUERY, false);
    send(gateway, "get", get);
    ApiRequest form = new ApiRequest(HttpMethod.POST_FORM, "/seen");
    form.addParam("name", "天气 a+b", ParamPosition.BODY, false);
    form.addParam("q", "1", ParamPosition.QUERY, false);
    send(gateway, "form", form);
    byte[] bytes = "raw 天气".getBytes(StandardCharsets.UTF_8);
    send(gateway, "stream", new ApiRequest(HttpMethod.POST_BODY, "/seen", bytes));
    gateway.shutdown();
    Gateway forged = new Gateway(args[0], "wrong");
    send(forged, "forged", new ApiRequest(HttpMethod.GET, "/seen"));
    forged.shutdown();
    control(args[1], args[2]);
  }

  static void control(String endpoint, String region) throws ClientException {
    DefaultProfile profile =
        DefaultProfile.getProfile(region, System.getenv("ACCESS_KEY_ID"), System.getenv("ACCESS_KEY_SECRET"));
    DefaultAcsClient client = new DefaultAcsClient(profile);
    CreateApiGroupRequest create = new CreateApiGroupRequest();
    create.setSysEndpoint(endpoint);
    create.setSysProtocol(ProtocolType.HTTP);
    create.setGroupName("java_group");
    create.setDescription("天气 a*b~c");
    String groupId = client.getAcsResponse(create).getGroupId();
    DescribeApiGroupRequest describe = new DescribeApiGroupRequest();
    describe.setSysEndpoint(endpoint);
    describe.setSysProtocol(ProtocolType.HTTP);
    describe.setGroupId(groupId);
    print("described", 200, client.getAcsResponse(describe).getDescription().getBytes(StandardCharsets.UTF_8));
    try {
      client.getAcsResponse(create);
      print("duplicate", "answered", new byte[0]);
    } catch (ClientException error) {
      print("duplicate", error.getErrCode(), new byte[0]);
    }
    client.shutdown();
  }
}
