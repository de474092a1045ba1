// The filters, spoken to the kernel's nf_tables directly, so that nothing has to be installed. Two tables: one in the
// router's namespace, where nobody else can touch it, and one on the host. The host's has an owner: the kernel removes it
// when our socket closes, and lets nobody flush it before. Called by network.c.
#define _GNU_SOURCE
#include "netlink.h"
#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

enum {
  PACE_SET = 1,
  PACE_PER_SECOND = 300, // connections that one instance may begin; then a burst of as many
  PACE_INSTANCES = 8192,
  PACE_KEPT_MS = 60 * 1000,
  PRIORITY_RAW = -300, PRIORITY_FILTER = 0, PRIORITY_SOURCE_NAT = 100,
  ADMINISTRATIVELY_PROHIBITED = 13,
};

static struct request request;
static const char *table;
static size_t rule, expressions;

static void message(int what, int flags) {
  struct nfgenmsg head = {.nfgen_family = NFPROTO_IPV4, .version = NFNETLINK_V0};
  message_begin(&request, NFNL_SUBSYS_NFTABLES << 8 | what, flags, &head, sizeof head);
}

static void begin_batch(const char *name, uint32_t flags, bool is_again) {
  struct nfgenmsg head = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  table = name;
  request_begin(&request);
  message_begin(&request, NFNL_MSG_BATCH_BEGIN, 0, &head, sizeof head);
  message_end(&request);
  if (is_again) {
    message(NFT_MSG_DELTABLE, 0);
    add_text(&request, NFTA_TABLE_NAME, table);
    message_end(&request);
  }
  message(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
  add_text(&request, NFTA_TABLE_NAME, table);
  add_be32(&request, NFTA_TABLE_FLAGS, flags);
  message_end(&request);
}

// The last message of a batch answers for all: the kernel does all of it or nothing.
static int end_batch(int socket) {
  message_wants_answer(&request);
  struct nfgenmsg head = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  message_begin(&request, NFNL_MSG_BATCH_END, 0, &head, sizeof head);
  message_end(&request);
  return netlink_do(socket, &request);
}

static void add_chain(const char *name, const char *type, uint32_t hook, int priority, uint32_t policy) {
  message(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  add_text(&request, NFTA_CHAIN_TABLE, table);
  add_text(&request, NFTA_CHAIN_NAME, name);
  size_t at = nest_begin(&request, NFTA_CHAIN_HOOK);
  add_be32(&request, NFTA_HOOK_HOOKNUM, hook);
  add_be32(&request, NFTA_HOOK_PRIORITY, (uint32_t)priority);
  nest_end(&request, at);
  add_be32(&request, NFTA_CHAIN_POLICY, policy);
  add_text(&request, NFTA_CHAIN_TYPE, type);
  message_end(&request);
}

static void begin_rule(const char *chain) {
  message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
  add_text(&request, NFTA_RULE_TABLE, table);
  add_text(&request, NFTA_RULE_CHAIN, chain);
  rule = nest_begin(&request, NFTA_RULE_EXPRESSIONS);
}

static void end_rule(void) {
  nest_end(&request, rule);
  message_end(&request);
}

static size_t begin_expression(const char *name) {
  expressions = nest_begin(&request, NFTA_LIST_ELEM);
  add_text(&request, NFTA_EXPR_NAME, name);
  return nest_begin(&request, NFTA_EXPR_DATA);
}

static void end_expression(size_t data) {
  nest_end(&request, data);
  nest_end(&request, expressions);
}

static void add_value(int type, const void *value, size_t length) {
  size_t at = nest_begin(&request, type);
  add_bytes(&request, NFTA_DATA_VALUE, value, length);
  nest_end(&request, at);
}

// Loads go into register 1, and comparisons look at it.
static void load_meta(uint32_t key) {
  size_t at = begin_expression("meta");
  add_be32(&request, NFTA_META_DREG, NFT_REG_1);
  add_be32(&request, NFTA_META_KEY, key);
  end_expression(at);
}

static void load_payload(uint32_t base, uint32_t offset, uint32_t length) {
  size_t at = begin_expression("payload");
  add_be32(&request, NFTA_PAYLOAD_DREG, NFT_REG_1);
  add_be32(&request, NFTA_PAYLOAD_BASE, base);
  add_be32(&request, NFTA_PAYLOAD_OFFSET, offset);
  add_be32(&request, NFTA_PAYLOAD_LEN, length);
  end_expression(at);
}

static void compare(uint32_t how, const void *value, size_t length) {
  size_t at = begin_expression("cmp");
  add_be32(&request, NFTA_CMP_SREG, NFT_REG_1);
  add_be32(&request, NFTA_CMP_OP, how);
  add_value(NFTA_CMP_DATA, value, length);
  end_expression(at);
}

static void mask(uint32_t bits) { // in memory order
  uint32_t nothing = 0;
  size_t at = begin_expression("bitwise");
  add_be32(&request, NFTA_BITWISE_SREG, NFT_REG_1);
  add_be32(&request, NFTA_BITWISE_DREG, NFT_REG_1);
  add_be32(&request, NFTA_BITWISE_LEN, sizeof bits);
  add_value(NFTA_BITWISE_MASK, &bits, sizeof bits);
  add_value(NFTA_BITWISE_XOR, &nothing, sizeof nothing);
  end_expression(at);
}

static void when_link(uint32_t key, uint32_t how, const char *name) {
  char padded[IFNAMSIZ] = "";
  strncpy(padded, name, sizeof padded - 1);
  load_meta(key);
  compare(how, padded, sizeof padded);
}

static void when_address(uint32_t offset, uint32_t how, struct block block) {
  uint32_t bits = block.bits == 0 ? 0 : htonl(0xffffffffu << (32 - block.bits)), address = htonl(block.address) & bits;
  load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof address);
  if (block.bits < 32) mask(bits);
  compare(how, &address, sizeof address);
}
enum { FROM = 12, TO = 16 }; // where the addresses are in the head of a packet

static void when_state(uint32_t states) {
  uint32_t nothing = 0;
  size_t at = begin_expression("ct");
  add_be32(&request, NFTA_CT_DREG, NFT_REG_1);
  add_be32(&request, NFTA_CT_KEY, NFT_CT_STATE);
  end_expression(at);
  mask(states);
  compare(NFT_CMP_NEQ, &nothing, sizeof nothing);
}

static void when_port(uint8_t protocol, uint16_t port) {
  uint16_t wanted = htons(port);
  load_meta(NFT_META_L4PROTO);
  compare(NFT_CMP_EQ, &protocol, sizeof protocol);
  load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof wanted);
  compare(NFT_CMP_EQ, &wanted, sizeof wanted);
}

static void decide(uint32_t verdict) {
  size_t at = begin_expression("immediate");
  add_be32(&request, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
  size_t data = nest_begin(&request, NFTA_IMMEDIATE_DATA), inner = nest_begin(&request, NFTA_DATA_VERDICT);
  add_be32(&request, NFTA_VERDICT_CODE, verdict);
  nest_end(&request, inner);
  nest_end(&request, data);
  end_expression(at);
}

// The sender is told at once, instead of waiting for a time-out.
static void reject(void) {
  uint8_t code = ADMINISTRATIVELY_PROHIBITED;
  size_t at = begin_expression("reject");
  add_be32(&request, NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
  add_bytes(&request, NFTA_REJECT_ICMP_CODE, &code, sizeof code);
  end_expression(at);
}

static void masquerade(void) {
  end_expression(begin_expression("masq"));
}

static void add_pace_set(void) {
  uint64_t kept = htobe64(PACE_KEPT_MS);
  message(NFT_MSG_NEWSET, NLM_F_CREATE);
  add_text(&request, NFTA_SET_TABLE, table);
  add_text(&request, NFTA_SET_NAME, "pace");
  add_be32(&request, NFTA_SET_ID, PACE_SET);
  add_be32(&request, NFTA_SET_FLAGS, NFT_SET_EVAL | NFT_SET_TIMEOUT);
  add_be32(&request, NFTA_SET_KEY_TYPE, 7); // an IPv4 address, for who lists the rules
  add_be32(&request, NFTA_SET_KEY_LEN, 4);
  add_bytes(&request, NFTA_SET_TIMEOUT, &kept, sizeof kept);
  size_t at = nest_begin(&request, NFTA_SET_DESC);
  add_be32(&request, NFTA_SET_DESC_SIZE, PACE_INSTANCES);
  nest_end(&request, at);
  message_end(&request);
}

// Holds when this sender began more than it may: else one function could fill the host's table of connections.
static void when_too_fast(void) {
  uint64_t rate = htobe64(PACE_PER_SECOND), unit = htobe64(1);
  load_payload(NFT_PAYLOAD_NETWORK_HEADER, FROM, 4);
  size_t at = begin_expression("dynset");
  size_t outer = expressions;
  add_text(&request, NFTA_DYNSET_SET_NAME, "pace");
  add_be32(&request, NFTA_DYNSET_SET_ID, PACE_SET);
  add_be32(&request, NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
  add_be32(&request, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
  size_t limit = nest_begin(&request, NFTA_DYNSET_EXPR);
  add_text(&request, NFTA_EXPR_NAME, "limit");
  size_t data = nest_begin(&request, NFTA_EXPR_DATA);
  add_bytes(&request, NFTA_LIMIT_RATE, &rate, sizeof rate);
  add_bytes(&request, NFTA_LIMIT_UNIT, &unit, sizeof unit);
  add_be32(&request, NFTA_LIMIT_BURST, PACE_PER_SECOND);
  add_be32(&request, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
  add_be32(&request, NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);
  nest_end(&request, data);
  nest_end(&request, limit);
  expressions = outer;
  end_expression(at);
}

static void add_rule_for(const char *chain, uint32_t offset, struct block block, bool is_accepted) {
  begin_rule(chain);
  when_address(offset, NFT_CMP_EQ, block);
  if (is_accepted) decide(NF_ACCEPT);
  else reject();
  end_rule();
}

static void accept_at_doorway(uint32_t doorway, uint8_t protocol, uint16_t port) {
  begin_rule("input");
  when_address(TO, NFT_CMP_EQ, (struct block){doorway, 32});
  when_port(protocol, port);
  decide(NF_ACCEPT);
  end_rule();
}

static void accept_what_goes_on(const char *chain) {
  begin_rule(chain);
  when_state(NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
  decide(NF_ACCEPT);
  end_rule();
}

static void add_input(uint32_t doorway) {
  add_chain("input", "filter", NF_INET_LOCAL_IN, PRIORITY_FILTER, NF_DROP);
  accept_what_goes_on("input");
  accept_at_doorway(doorway, IPPROTO_TCP, 80);
  accept_at_doorway(doorway, IPPROTO_TCP, 53);
  accept_at_doorway(doorway, IPPROTO_UDP, 53);
  begin_rule("input");
  reject();
  end_rule();
}

static void add_forward(const char *uplink, const struct policy *policy) {
  uint32_t open = GROUP_OPEN;
  add_chain("forward", "filter", NF_INET_FORWARD, PRIORITY_FILTER, NF_DROP);
  accept_what_goes_on("forward");
  begin_rule("forward"); // nobody calls an instance
  when_link(NFT_META_IIFNAME, NFT_CMP_EQ, uplink);
  decide(NF_DROP);
  end_rule();
  begin_rule("forward"); // instances of network `none`
  load_meta(NFT_META_IIFGROUP);
  compare(NFT_CMP_NEQ, &open, sizeof open);
  reject();
  end_rule();
  begin_rule("forward"); // one instance to another
  when_link(NFT_META_OIFNAME, NFT_CMP_NEQ, uplink);
  reject();
  end_rule();
  begin_rule("forward");
  when_too_fast();
  decide(NF_DROP);
  end_rule();
  for (int at = 0; at < policy->own.count; at++) add_rule_for("forward", TO, policy->own.list[at], false);
  for (int at = 0; at < policy->allowed.count; at++) add_rule_for("forward", TO, policy->allowed.list[at], true);
  for (int at = 0; at < policy->refused.count; at++) add_rule_for("forward", TO, policy->refused.list[at], false);
  begin_rule("forward");
  decide(NF_ACCEPT);
  end_rule();
}

int firewall_router(int socket, const char *uplink, uint32_t doorway, const struct policy *policy, bool is_again) {
  begin_batch("yunmen", NFT_TABLE_F_OWNER, is_again);
  add_pace_set();
  add_input(doorway);
  add_forward(uplink, policy);
  add_chain("leave", "nat", NF_INET_POST_ROUTING, PRIORITY_SOURCE_NAT, NF_ACCEPT);
  begin_rule("leave");
  when_link(NFT_META_OIFNAME, NFT_CMP_EQ, uplink);
  masquerade();
  end_rule();
  return end_batch(socket);
}

int firewall_host(int socket, const char *name, const char *link, uint32_t inside) {
  uint32_t elsewhere = RTN_UNICAST;
  begin_batch(name, NFT_TABLE_F_OWNER, false);
  add_chain("enter", "filter", NF_INET_PRE_ROUTING, PRIORITY_RAW, NF_ACCEPT);
  begin_rule("enter");
  when_link(NFT_META_IIFNAME, NFT_CMP_EQ, link);
  when_address(FROM, NFT_CMP_NEQ, (struct block){inside, 32});
  decide(NF_DROP);
  end_rule();
  begin_rule("enter"); // addresses of this host, whatever they are by now; broadcasts too
  when_link(NFT_META_IIFNAME, NFT_CMP_EQ, link);
  size_t at = begin_expression("fib");
  add_be32(&request, NFTA_FIB_DREG, NFT_REG_1);
  add_be32(&request, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
  add_be32(&request, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
  end_expression(at);
  compare(NFT_CMP_NEQ, &elsewhere, sizeof elsewhere);
  decide(NF_DROP);
  end_rule();
  add_chain("pass", "filter", NF_INET_FORWARD, PRIORITY_FILTER, NF_ACCEPT);
  begin_rule("pass"); // nobody begins anything towards instances
  when_link(NFT_META_OIFNAME, NFT_CMP_EQ, link);
  when_state(NF_CT_STATE_BIT(IP_CT_NEW));
  decide(NF_DROP);
  end_rule();
  add_chain("leave", "nat", NF_INET_POST_ROUTING, PRIORITY_SOURCE_NAT, NF_ACCEPT);
  begin_rule("leave");
  when_address(FROM, NFT_CMP_EQ, (struct block){inside, 32});
  when_link(NFT_META_OIFNAME, NFT_CMP_NEQ, link);
  masquerade();
  end_rule();
  return end_batch(socket);
}
