#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0-or-later
# Rulesets of a size, for test_scale.sh: awk -v what=services -v n=5000 -f scale.awk

function rnd(m) { return int(rand() * m) }
function addr(net, i) { return net "." int(i / 65536) % 256 "." int(i / 256) % 256 "." i % 256 }

# A verdict map over address, protocol and port that leads to a chain of each service.
function services(i, p) {
	print "\tchain external {\n\t\tcounter\n\t}"
	for (i = 0; i < n; i++) {
		print "\tchain svc-" i " {"
		if (i % 10 == 3)
			print "\t\tip saddr " addr(172, i * 16) "/28 counter drop"
		if (i % 7 == 2)
			print "\t\tip saddr { " addr(11, i) ", " addr(12, 2 * i) " } counter drop"
		print "\t\tip saddr != 10.244.0.0/16 jump external\n\t\tcounter accept\n\t}"
	}
	print "\tmap services {\n\t\ttype ipv4_addr . inet_proto . inet_service : verdict\n\t\telements = {"
	for (i = 0; i < n; i++) {
		p = i % 5 ? "tcp" : "udp"
		print "\t\t\t" addr(10, i * 37 + 65536) " . " p " . " (i % 3 ? 80 : 1024 + i) " : goto svc-" i ","
	}
	print "\t\t}\n\t}"
	print "\tchain input {\n\t\ttype filter hook input priority 0; policy accept;"
	print "\t\tip daddr . meta l4proto . th dport vmap @services"
	print "\t\tip daddr 10.0.0.0/8 counter drop\n\t}"
}

# Chains of one shape in two levels, which return, to be gone on with.
function alike(i) {
	for (i = 0; i < n / 2; i++)
		print "\tchain leaf-" i " {\n\t\ttcp dport " 1 + i % 1024 " counter\n\t\tip saddr " addr(10, i) \
			" counter drop\n\t\tudp sport " i + 1 " return\n\t}"
	for (i = 0; i < n / 2; i++)
		print "\tchain c-" i " {\n\t\tip saddr >= " addr(10, i) " jump leaf-" (i * 7) % int(n / 2) \
			"\n\t\tcounter\n\t\tudp dport " 1 + i % 65535 " goto leaf-" i "\n\t\tcounter\n\t}"
	print "\tmap chains {\n\t\ttype ipv4_addr : verdict\n\t\telements = {"
	for (i = 0; i < n / 2; i++)
		print "\t\t\t" addr(10, i + 65536) " : " (i % 2 ? "jump" : "goto") " c-" i ","
	print "\t\t}\n\t}"
	print "\tchain input {\n\t\ttype filter hook input priority 0; policy accept;"
	print "\t\tip daddr vmap @chains\n\t\tcounter\n\t}"
}

function match_text(k, i) {
	if (k == 0) return "ip saddr " addr(10, i)
	if (k == 1) return "tcp dport " 1 + i % 65535
	if (k == 2) return "th sport " 1 + i % 500 "-" 600 + i % 1000
	if (k == 3) return "ip saddr " addr(10, i * 256) "/" 9 + rnd(20)
	if (k == 4) return "ip ttl " i % 256
	if (k == 5) return "meta length > " 40 + i % 100
	if (k == 6) return "tcp flags & (syn|ack) == syn"
	if (k == 7) return "ip dscp cs" i % 8
	if (k == 8) return "ip length " 40 + i % 100 "-1500"
	if (k == 9) return "th sport " i % 5000
	if (k == 10) return "meta mark != " i
	return "ip saddr != " addr(10, i)
}

# Chains of all sorts.
function mixed(i, r, v) {
	for (i = 0; i < n; i++) {
		print "\tchain c-" i " {"
		for (r = rnd(5); r >= 0; r--) {
			v = rnd(5)
			print "\t\t" match_text(rnd(12), i) (rnd(3) ? " " match_text(rnd(12), i + 1) : "") \
				(rnd(2) ? " counter" : "") (v == 0 ? " drop" : v == 1 ? " accept" : v == 2 ? " return" : \
				i > 100 ? " jump c-" rnd(100) : "") (v > 2 && i <= 100 ? " counter" : "")
		}
		print "\t}"
	}
	print "\tmap chains {\n\t\ttype ipv4_addr : verdict\n\t\telements = {"
	for (i = 0; i < n; i++)
		print "\t\t\t" addr(10, i + 65536) " : " (i % 2 ? "jump" : "goto") " c-" i ","
	print "\t\t}\n\t}"
	print "\tchain input {\n\t\ttype filter hook input priority 0; policy accept;"
	print "\t\tip daddr vmap @chains\n\t\tcounter\n\t}"
}

# n wide, 15 deep: each level has chains that jump on to some of the next one.
function tree(i, l, w) {
	w = int(n / 14)
	for (l = 14; l > 0; l--)
		for (i = 0; i < w; i++) {
			print "\tchain t-" l "-" i " {\n\t\tcounter"
			if (l < 14)
				print "\t\tip saddr " addr(10, i * l) "/" 8 + l " jump t-" l + 1 "-" (i * 3 + 1) % w \
					"\n\t\ttcp dport " 1 + i "-" 40000 + i " goto t-" l + 1 "-" (i * 5 + 2) % w
			else
				print "\t\tip saddr " addr(10, i) "/16 drop\n\t\tudp dport " 1 + i " accept"
			print "\t\tcounter\n\t}"
		}
	for (i = 0; i < n; i++)
		print "\tchain top-" i " {\n\t\tip saddr != " addr(10, i) " jump t-1-" i % w "\n\t\tcounter\n\t}"
	print "\tchain input {\n\t\ttype filter hook input priority 0; policy accept;"
	for (i = 0; i < n; i++)
		print "\t\tip daddr " addr(10, i + 65536) " jump top-" i
	print "\t\tcounter\n\t}"
}

# Base chains, several at each of some hooks and priorities.
function bases(i, hook) {
	split("prerouting input forward output postrouting", hook, " ")
	print "\tchain note {\n\t\tip ttl 1-200 counter\n\t}"
	for (i = 0; i < n; i++)
		print "\tchain base-" i " {\n\t\ttype filter hook " hook[i % 5 + 1] " priority " int(i / 10) * 5 - 20 \
			"; policy " (i % 17 ? "accept" : "drop") ";\n\t\tjump note\n\t\ttcp dport " 100 + i \
			" counter drop\n\t\tudp sport " i + 1 " counter accept\n\t\tip saddr " addr(10, i) \
			"/" 24 - i % 8 " counter\n\t\taccept\n\t}"
}

# No two fields in a row, and a chain of its own for each rule.
function jumps(i) {
	for (i = 0; i < n; i++)
		print "\tchain j-" i " {\n\t\t" match_text((i * 7 + 3) % 12, i) " counter drop\n\t}"
	print "\tchain input {\n\t\ttype filter hook input priority 0; policy accept;"
	for (i = 0; i < n; i++)
		print "\t\t" match_text(i % 12, i) " " match_text((i * 5 + 1) % 12, i + 1) " jump j-" i
	print "\t\tcounter\n\t}"
}

function rules(i) {
	print "\tchain input {\n\t\ttype filter hook input priority 0; policy accept;"
	for (i = 0; i < n; i++)
		print "\t\tip saddr " addr(10, i * 3) " counter " (i % 3 ? "drop" : "accept")
	print "\t}"
}

BEGIN {
	srand(7)
	print "table ip scale\ndelete table ip scale\ntable ip scale {"
	if (what == "services") services()
	else if (what == "alike") alike()
	else if (what == "mixed") mixed()
	else if (what == "tree") tree()
	else if (what == "bases") bases()
	else if (what == "jumps") jumps()
	else if (what == "rules") rules()
	print "}"
}
