"""The proxy of kamailio.cfg as a KEMI script; see kamailio_kemi.cfg."""

import site

# Where Callsieve is installed for the Python of app_python3: `callsieve kamailio check` says.
site.addsitedir("/opt/callsieve/lib/python3.11/site-packages")

STORE = "csv:/var/lib/callsieve"
# The directory of `callsieve serve --figures`, for Prometheus; None: these calls are not counted.
FIGURES = None
SWITCH = "sip:127.0.0.1:5080"
# Calls from these addresses are calls that you make, screened as outbound legs.
DIALLERS = "127.0.0.4/32"

import KSR

from callsieve.kamailio import plugin

OURS = "^[Xx]-[Cc][Aa][Ll][Ll][Ss][Ii][Ee][Vv][Ee]-"
ENTITLED = ("campaign", "queue", "widget", "route", "region")


def mod_init():
    return Proxy()


class Proxy:
    def __init__(self):
        self.callsieve = plugin(KSR, STORE, FIGURES)

    def child_init(self, rank):
        return self.callsieve.child_init(rank)

    # app_python3 looks for all three. One that is missing or returns no number is reported as
    # an error of whatever is called next.
    def ksr_request_route(self, _message):
        self.route()
        return 1

    def ksr_reply_route(self, _message):
        return 1

    def ksr_onsend_route(self, _message):
        return 1

    def route(self):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.sl_send_reply(483, "Too Many Hops")
            return
        if KSR.sanity.sanity_check(17895, 7) < 0:
            return
        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return
        # An INVITE that is sent again is answered as before, and not screened again.
        if not KSR.is_ACK():
            if KSR.tmx.t_precheck_trans() > 0:
                KSR.tm.t_check_trans()
                return
            if KSR.tm.t_check_trans() == 0:
                return
        if KSR.siputils.has_totag() > 0:
            within_call()
        elif KSR.is_OPTIONS() and KSR.is_myself_ruri():
            KSR.sl.sl_send_reply(200, "OK")
        elif not KSR.is_INVITE():
            KSR.sl.sl_send_reply(405, "Method Not Allowed")
        else:
            self.begin_call()

    def begin_call(self):
        KSR.tm.t_newtran()
        KSR.rr.record_route()
        if KSR.ipops.is_in_subnet(KSR.pv.get("$si"), DIALLERS) > 0:
            read_what_the_dialler_says()
        else:
            KSR.pv.sets("$avp(callsieve_flow)", "inbound")
        # What is only ours to say.
        KSR.textops.remove_hf_re(OURS)
        if not self.goes_on():
            return
        if KSR.pv.get("$ru").startswith("tel:"):
            KSR.pv.sets("$ru", f"sip:{KSR.pv.get('$rU')}@{KSR.pv.get('$Ri')};user=phone")
        KSR.pv.sets("$du", SWITCH)
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()

    def goes_on(self):
        """Screen the call, and answer it if it must not go on."""
        found = self.callsieve.decide()
        if not found:
            # Python itself failed; the log says why. Inbound calls go on, others are not dialled.
            if KSR.pv.get("$avp(callsieve_flow)") == "inbound":
                return True
            KSR.tm.t_reply(503, "Screening Unavailable")
            return False
        action = found["action"]
        if action in ("hangup", "skip"):
            KSR.hdr.append_to_reply(found["reply_headers"])
            if action == "skip":  # the dialler reads X-Callsieve-Status
                KSR.hdr.append_to_reply(found["headers"])
            KSR.tm.t_reply(found["reply_status"], found["reply_phrase"])
            return False
        if action == "redirect":
            target = found["redirect"]
            if target.startswith(("sip:", "sips:")):
                KSR.hdr.append_to_reply(f"Contact: <{target}>\r\n")
                KSR.tm.t_reply(302, "Moved Temporarily")
                return False
            # An extension or a number of yours: to be routed like any other.
            KSR.pv.sets("$rU", target)
        elif action == "present":
            identity = f"sip:{found['presentation']}@{KSR.pv.get('$fd') or KSR.pv.get('$Ri')}"
            KSR.uac.uac_replace_from("", identity)
            KSR.hdr.remove("P-Asserted-Identity")
            KSR.hdr.append(f"P-Asserted-Identity: <{identity}>\r\n")
        KSR.hdr.append(found["headers"])
        return True


def read_what_the_dialler_says():
    # A dialled number that comes as inbound would be dialled where it cannot be screened.
    flow = KSR.hdr.gete("X-Callsieve-Flow")
    KSR.pv.sets("$avp(callsieve_flow)", flow if flow not in ("", "inbound") else "outbound")
    for name in ENTITLED:
        if value := KSR.hdr.gete(f"X-Callsieve-{name.capitalize()}"):
            KSR.pv.sets(f"$avp(callsieve_{name})", value)


def within_call():
    """Requests within a call: to where their Route headers and Contact lead."""
    KSR.textops.remove_hf_re(OURS)
    if KSR.rr.loose_route() > 0 or (KSR.is_ACK() and KSR.tm.t_check_trans() > 0):
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
    elif not KSR.is_ACK():
        KSR.sl.sl_send_reply(404, "Not Here")
