//! What TCP does, and what captures do to it.

use crate::wire::{self, ACK, FIN, Pcap, RST, SYN, Segment, client, server};
use ntlm_capture::{
    Capture, CaptureError, Direction, EndReason, Event, GapCause, Limits, NoticeKind, Origin, Part,
    Problem, Timestamp,
};

/// An event in a line: `C` and `S` are streams from client and server, then offset, bytes, frame.
fn tell(event: &Event<'_>) -> String {
    let side = |direction| if direction == Direction::ClientToServer { 'C' } else { 'S' };
    match event {
        Event::FlowStarted(started) => {
            let guessed = if started.endpoints.guessed { " guessed" } else { "" };
            format!("start {}{guessed}", started.endpoints.client)
        }
        Event::Data(data) => {
            let bytes = String::from_utf8_lossy(data.bytes);
            format!("{}{} {bytes} #{}", side(data.direction), data.offset, data.origin.frame)
        }
        Event::Gap(gap) => {
            format!("{}{} -{} {:?}", side(gap.direction), gap.offset, gap.length, gap.cause)
        }
        Event::Conflict(conflict) => {
            format!(
                "{}{} conflict #{}",
                side(conflict.direction),
                conflict.offset,
                conflict.origin.frame
            )
        }
        Event::FlowEnded(ended) => format!("end {:?}", ended.reason),
        Event::Datagram(datagram) => {
            let bytes = String::from_utf8_lossy(datagram.bytes);
            format!("{} > {} {bytes} -{}", datagram.source, datagram.destination, datagram.missing)
        }
        Event::Notice(notice) => format!("{:?} #{}", notice.kind, notice.origin.frame),
        Event::UnknownLinkType(unknown) => {
            format!("{} #{}", unknown.link_type, unknown.origin.frame)
        }
        other => panic!("{other:?}"),
    }
}

fn read(file: &[u8], limits: Limits) -> (Vec<String>, Vec<CaptureError>) {
    let mut capture = Capture::new(file, limits);
    let (mut events, mut errors) = (Vec::new(), Vec::new());
    loop {
        match capture.next_event() {
            Ok(Some(event)) => events.push(tell(&event)),
            Ok(None) => return (events, errors),
            Err(error) => errors.push(error),
        }
    }
}

#[track_caller]
fn check_with(limits: Limits, pcap: &Pcap, expected: &[&str]) {
    let (events, errors) = read(&pcap.bytes, limits);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(events, expected);
}

#[track_caller]
fn check(segments: &[Segment], expected: &[&str]) {
    check_with(Limits::default(), &Pcap::of(segments), expected);
}

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

const START: &str = "start 10.0.0.1:40000";

fn handshake() -> Vec<Segment> {
    vec![client(99, 0, SYN, b""), server(499, 100, SYN | ACK, b""), client(100, 500, ACK, b"")]
}

fn after_handshake(segments: &[Segment]) -> Vec<Segment> {
    [handshake(), segments.to_vec()].concat()
}

#[test]
fn both_streams_come_in_the_order_of_capture() {
    let segments = after_handshake(&[
        client(100, 500, ACK, b"ask"),
        server(500, 103, ACK, b"answer"),
        client(103, 506, ACK, b"more"),
        server(506, 107, ACK, b"bye"),
        server(509, 107, FIN | ACK, b""),
        client(107, 510, FIN | ACK, b""),
        server(510, 108, ACK, b""),
    ]);
    check(
        &segments,
        &[START, "C0 ask #4", "S0 answer #5", "C3 more #6", "S6 bye #7", "end Closed"],
    );
}

#[test]
fn segments_out_of_order_are_put_in_order() {
    let segments = after_handshake(&[
        client(106, 500, ACK, b"ghi"),
        client(103, 500, ACK, b"def"),
        client(109, 500, ACK | FIN, b"jkl"),
        client(100, 500, ACK, b"abc"),
        server(500, 113, ACK | FIN, b""),
    ]);
    check(&segments, &[START, "C0 abc #7", "C3 def #5", "C6 ghi #4", "C9 jkl #6", "end Closed"]);
}

#[test]
fn retransmissions_and_keep_alives_bring_nothing_twice() {
    let segments = after_handshake(&[
        client(100, 500, ACK, b"abcdef"),
        client(100, 500, ACK, b"abcdef"),
        client(103, 500, ACK, b"defghi"),
        client(108, 500, ACK, b"i"),
        client(108, 500, ACK, b""),
        client(109, 500, ACK, b"j"),
    ]);
    check(&segments, &[START, "C0 abcdef #4", "C6 ghi #6", "C9 j #9", "end CaptureEnded"]);
}

#[test]
fn the_first_copy_wins_and_a_difference_is_told() {
    let segments = after_handshake(&[
        client(102, 500, ACK, b"CD"),
        client(101, 500, ACK, b"bcXe"),
        client(100, 500, ACK, b"abcdefg"),
    ]);
    check(
        &segments,
        &[
            START,
            "C2 conflict #5",
            "C2 conflict #6",
            "C0 a #6",
            "C1 b #5",
            "C2 CD #4",
            "C4 e #5",
            "C5 fg #6",
            "end CaptureEnded",
        ],
    );
}

#[test]
fn what_was_acknowledged_but_never_came_is_a_gap_and_nothing_changes_places() {
    let segments = after_handshake(&[
        client(104, 500, ACK, b"lost its start"),
        server(500, 118, ACK, b"answer"),
        client(118, 506, ACK, b"next"),
        server(506, 122, ACK, b"last"),
    ]);
    let told = [
        START,
        "C0 -4 Acknowledged",
        "C4 lost its start #4",
        "S0 answer #5",
        "C18 next #6",
        "S6 last #7",
        "end CaptureEnded",
    ];
    for patience in [0, 1, 2] {
        check_with(limits(|limits| limits.patience = patience), &Pcap::of(&segments), &told);
    }
    check(
        &segments,
        &told.map(|line| if line.starts_with("C0 ") { "C0 -4 FlowEnd" } else { line }),
    );
}

#[test]
fn bytes_recorded_after_their_acknowledgement_still_come_before_the_answer() {
    let segments = after_handshake(&[
        client(103, 500, ACK, b"def"),
        server(500, 106, ACK, b"answer"),
        client(106, 506, ACK, b"next"),
        client(100, 500, ACK, b"abc"),
        server(506, 110, ACK, b"last"),
    ]);
    check(
        &segments,
        &[
            START,
            "C0 abc #7",
            "C3 def #4",
            "S0 answer #5",
            "C6 next #6",
            "S6 last #8",
            "end CaptureEnded",
        ],
    );
}

#[test]
fn a_hole_in_one_stream_does_not_stop_the_other() {
    let segments = after_handshake(&[
        client(103, 500, ACK, b"def"),
        server(500, 100, ACK, b"one"),
        server(503, 100, ACK, b"two"),
    ]);
    check(
        &segments,
        &[START, "S0 one #5", "S3 two #6", "C0 -3 FlowEnd", "C3 def #4", "end CaptureEnded"],
    );
}

#[test]
fn a_lost_last_segment_is_a_gap_and_a_lost_fin_is_none() {
    // The server acknowledges three bytes and a FIN.
    let segments =
        after_handshake(&[client(100, 500, ACK, b"abc"), server(500, 107, ACK | FIN, b"")]);
    check(&segments, &[START, "C0 abc #4", "C3 -3 FlowEnd", "end CaptureEnded"]);
    let segments =
        after_handshake(&[client(100, 500, ACK, b"abc"), server(500, 104, ACK | FIN, b"")]);
    check(&segments, &[START, "C0 abc #4", "end CaptureEnded"]);
    // The FIN itself tells where the stream ends.
    let segments = after_handshake(&[client(106, 500, ACK | FIN, b"")]);
    check(&segments, &[START, "C0 -6 FlowEnd", "end CaptureEnded"]);
}

#[test]
fn a_lost_end_is_told_once_more_comes() {
    let mut limits = Limits::default();
    limits.patience = 0;
    let segments = after_handshake(&[
        server(500, 110, ACK, b"answer"),
        client(110, 506, ACK, b"next"),
        server(506, 114, ACK, b""),
    ]);
    let told = [
        START,
        "C0 -9 Acknowledged",
        "S0 answer #4",
        "C9 -1 Acknowledged",
        "C10 next #5",
        "end CaptureEnded",
    ];
    check_with(limits, &Pcap::of(&segments), &told);
}

#[test]
fn sequence_numbers_wrap() {
    let start = u32::MAX - 2;
    let segments = [
        client(start.wrapping_sub(1), 0, SYN, b""),
        client(1, 500, ACK, b"efg"),
        client(start, 500, ACK, b"abcd"),
        client(4, 500, ACK, b"hi"),
    ];
    check(&segments, &[START, "C0 abcd #3", "C4 efg #2", "C7 hi #4", "end CaptureEnded"]);
}

#[test]
fn a_capture_may_start_midway() {
    let segments = [
        server(700, 300, ACK, b"answer"),
        client(300, 706, ACK, b"ask"),
        client(200, 706, ACK, b"old"),
    ];
    check(
        &segments,
        &[
            "start 10.0.0.1:40000 guessed",
            "S0 answer #1",
            "C0 ask #2",
            "BeforeStart #3",
            "end CaptureEnded",
        ],
    );
    // The first answer tells where the client's stream stood.
    let segments = [
        server(700, 300, ACK, b"answer"),
        client(303, 706, ACK, b"def"),
        client(300, 706, ACK, b"abc"),
    ];
    check(
        &segments,
        &[
            "start 10.0.0.1:40000 guessed",
            "S0 answer #1",
            "C0 abc #3",
            "C3 def #2",
            "end CaptureEnded",
        ],
    );
    // Without data there is no flow.
    check(&[server(700, 300, ACK, b""), client(300, 700, RST, b"")], &[]);
}

#[test]
fn half_a_flow_is_delivered() {
    let segments = [
        server(499, 100, SYN | ACK, b""),
        server(500, 100, ACK, b"one"),
        server(503, 200, ACK, b"two"),
    ];
    check(&segments, &[START, "S0 one #2", "S3 two #3", "end CaptureEnded"]);
}

#[test]
fn a_new_syn_starts_a_new_flow() {
    let segments = after_handshake(&[
        client(100, 500, ACK, b"first"),
        client(99, 0, SYN, b""),
        client(7000, 0, SYN, b""),
        server(9000, 7001, SYN | ACK, b""),
        client(7001, 9001, ACK, b"second"),
        server(9001, 7007, ACK, b"answer"),
    ]);
    check(
        &segments,
        &[
            START,
            "C0 first #4",
            "end Reused",
            START,
            "C0 second #8",
            "S0 answer #9",
            "end CaptureEnded",
        ],
    );
}

#[test]
fn a_closed_flow_takes_no_stragglers_but_a_new_connection() {
    let segments = after_handshake(&[
        client(100, 500, ACK | FIN, b"ask"),
        server(500, 104, ACK | FIN, b"answer"),
        client(100, 500, ACK | FIN, b"ask"),
        client(104, 507, ACK, b""),
        client(5000, 0, SYN, b""),
        client(5001, 0, ACK, b"new"),
    ]);
    check(
        &segments,
        &[START, "C0 ask #4", "S0 answer #5", "end Closed", START, "C0 new #9", "end CaptureEnded"],
    );
}

#[test]
fn what_was_recorded_after_a_reset_is_delivered() {
    let segments = after_handshake(&[
        client(100, 500, ACK, b"ask"),
        server(506, 103, RST | ACK, b"reason"),
        server(500, 103, ACK, b"answer"),
        server(506, 103, RST | ACK, b""),
    ]);
    check(&segments, &[START, "C0 ask #4", "S0 answer #6", "end Reset"]);
}

#[test]
fn a_reset_flow_ends_before_the_capture_does() {
    let mut segments =
        after_handshake(&[client(100, 500, ACK, b"ask"), server(500, 103, RST | ACK, b"")]);
    for i in 0..5000 {
        segments.push(Segment { from: "10.0.0.9:1".parse().unwrap(), ..client(i, 0, ACK, b"x") });
    }
    let (events, _) = read(&Pcap::of(&segments).bytes, Limits::default());
    let end = events.iter().position(|event| event == "end Reset").unwrap();
    assert!((4000..4200).contains(&end));
}

#[test]
fn data_may_come_with_the_syn() {
    let segments = [client(99, 0, SYN, b"early"), client(105, 500, ACK, b"late")];
    check(&segments, &[START, "C0 early #1", "C5 late #2", "end CaptureEnded"]);
}

#[test]
fn a_sequence_number_from_nowhere_is_told() {
    let segments = after_handshake(&[
        client(100 + (1 << 31), 500, ACK, b"garbage"),
        client(100, 500, ACK, b"ask"),
    ]);
    check(&segments, &[START, "SequenceOutOfWindow #4", "C0 ask #5", "end CaptureEnded"]);
}

#[test]
fn cut_packets_leave_a_gap() {
    let mut pcap = Pcap::of(&handshake());
    let headers = 14 + 20 + 20;
    pcap.add_cut(&client(110, 500, ACK, b"0123456789").ethernet(), headers + 2);
    pcap.add_cut(&client(100, 500, ACK, b"0123456789").ethernet(), headers + 4);
    pcap.add(&client(120, 500, ACK, b"rest").ethernet());
    pcap.add_cut(&client(120, 500, ACK, b"rest").ethernet(), headers - 1);
    pcap.add_cut(&client(120, 500, ACK, b"rest").ethernet(), 33);
    pcap.add_cut(&client(120, 500, ACK, b"rest").ethernet(), 13);
    let told = [
        START,
        "C0 0123 #5",
        "C4 -6 Cut",
        "C10 01 #4",
        "C12 -8 Cut",
        "C20 rest #6",
        "TransportHeader #7",
        "IpHeader #8",
        "LinkHeader #9",
        "end CaptureEnded",
    ];
    check_with(Limits::default(), &pcap, &told);
}

#[test]
fn segmentation_offload_leaves_the_ip_length_at_zero() {
    let big = vec![b'x'; 20_000];
    let mut packet = client(100, 500, ACK, &big).ethernet();
    packet[16..18].fill(0);
    let mut pcap = Pcap::of(&handshake());
    pcap.add(&packet);
    pcap.add_cut(&client(20_100, 500, ACK, b"next").ethernet(), 1000);
    let (events, errors) = read(&pcap.bytes, Limits::default());
    assert!(errors.is_empty());
    assert_eq!(events[1].len(), "C0  #4".len() + 20_000);
    assert_eq!(events[2], "C20000 next #5");
}

#[test]
fn ethernet_padding_is_not_data() {
    let mut packet = client(100, 500, ACK, b"abc").ethernet();
    packet.extend([0; 20]);
    let mut pcap = Pcap::of(&handshake());
    pcap.add(&packet);
    pcap.add(&client(103, 500, ACK, b"def").ethernet());
    check_with(Limits::default(), &pcap, &[START, "C0 abc #4", "C3 def #5", "end CaptureEnded"]);
}

#[test]
fn ipv6_with_extension_headers_and_fragments() {
    let (from, to) = ("[fd00::1]:40000".parse().unwrap(), "[fd00::2]:445".parse().unwrap());
    let segment = |seq, flags, bytes: &[u8]| Segment { from, to, ..client(seq, 0, flags, bytes) };
    // Hop-by-hop, routing, destination options, authentication, an atomic fragment; then TCP.
    let chain = [
        &[43, 0, 0, 0, 0, 0, 0, 0][..],
        &[60, 0, 0, 0, 0, 0, 0, 0],
        &[51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[44, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[6, 0, 0, 0, 0, 0, 0, 7],
        &segment(99, SYN, b"").tcp(),
    ];
    let mut pcap = Pcap::new(101);
    pcap.add(&wire::ip(from.ip(), to.ip(), 0, &chain.concat()));
    let tcp = segment(100, ACK, b"0123456789").tcp();
    // Destination options behind the fragment header are part of what is fragmented.
    let whole = [&[6, 0, 0, 0, 0, 0, 0, 0], &tcp[..]].concat();
    pcap.add(&wire::fragment(from.ip(), to.ip(), 60, 5, 16, true, &whole[16..32]));
    pcap.add(&wire::fragment(from.ip(), to.ip(), 60, 5, 32, false, &whole[32..]));
    pcap.add(&wire::fragment(from.ip(), to.ip(), 60, 5, 0, true, &whole[..16]));
    pcap.add(&wire::fragment(from.ip(), to.ip(), 60, 6, 0, true, &whole[..16]));
    let told =
        ["start [fd00::1]:40000", "FragmentsIncomplete #5", "C0 0123456789 #4", "end CaptureEnded"];
    check_with(Limits::default(), &pcap, &told);
}

#[test]
fn datagrams_are_told() {
    let udp = |length: u16, bytes: &[u8]| {
        [&[0, 53, 0x80, 0][..], &length.to_be_bytes(), &[0, 0], bytes].concat()
    };
    let (from, to) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
    let mut pcap = Pcap::new(228);
    pcap.add(&wire::ip(from, to, 17, &udp(13, b"hello")));
    pcap.add_cut(&wire::ip(from, to, 17, &udp(13, b"hello")), 20 + 8 + 3);
    pcap.add(&wire::ip(from, to, 17, &udp(11, b"hello")));
    pcap.add(&wire::ip(from, to, 17, &udp(7, b"hello")));
    pcap.add(&wire::ip(from, to, 1, b"icmp"));
    let told = [
        "10.0.0.1:53 > 10.0.0.2:32768 hello -0",
        "10.0.0.1:53 > 10.0.0.2:32768 hel -2",
        "10.0.0.1:53 > 10.0.0.2:32768 hel -0",
        "TransportHeader #4",
    ];
    check_with(Limits::default(), &pcap, &told);
}

#[test]
fn an_unknown_link_is_named_once() {
    let mut pcap = Pcap::new(127);
    pcap.add(b"beacon");
    pcap.add(b"beacon");
    check_with(Limits::default(), &pcap, &["IEEE 802.11 with radiotap header (link type 127) #1"]);
}

#[test]
fn several_files_are_one_capture() {
    let segments = after_handshake(&[
        client(103, 500, ACK, b"def"),
        client(100, 500, ACK, b"abc"),
        client(106, 500, ACK, b"ghi"),
    ]);
    // Frames 1, 2, 4 and 6 of the whole, and 3 and 5.
    let mut files = [Pcap::new(1), Pcap::new(1)];
    for (at, segment) in (1..).zip(&segments) {
        let file = usize::from([3, 5].contains(&at));
        files[file].add_at(at, &segment.ethernet());
    }
    let [first, second] = files.map(|file| file.bytes);
    let files = [
        Ok(&first[..]),
        Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        Ok(b"garbage"),
        Ok(&second),
    ];
    let mut capture = Capture::of_files(files, Limits::default());
    let mut data = Vec::new();
    let mut errors = Vec::new();
    loop {
        match capture.next_event() {
            Ok(Some(Event::Data(d))) => {
                let Origin { frame, file, frame_in_file, .. } = d.origin;
                data.push((frame, file, frame_in_file, d.bytes.to_vec()));
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => errors.push((error.file, error.problem)),
        }
    }
    assert_eq!(
        data,
        [(5, 3, 2, b"abc".to_vec()), (4, 0, 3, b"def".to_vec()), (6, 0, 4, b"ghi".to_vec())]
    );
    assert!(matches!(errors[..], [(1, Problem::Io(_)), (2, Problem::NotACapture)]));
    assert_eq!(capture.totals().packets, 6);
}

#[test]
fn packets_of_the_same_time_come_in_the_order_of_the_files() {
    let datagrams = [b"a", b"b", b"c", b"d"].map(|bytes| {
        let [from, to] = ["10.0.0.1", "10.0.0.2"].map(|end| end.parse().unwrap());
        let udp = [&[0, 1, 0, 2, 0, 9, 0, 0], &bytes[..]].concat();
        wire::ethernet(&wire::ip(from, to, 17, &udp))
    });
    let mut files = [Pcap::new(1), Pcap::new(1), Pcap::new(1)];
    files[2].add_at(7, &datagrams[0]);
    files[0].add_at(7, &datagrams[1]);
    // The file is not in order of time, and stays as it is.
    files[0].add_at(3, &datagrams[2]);
    files[1].add_at(8, &datagrams[3]);
    let files = files.map(|file| file.bytes);
    let mut capture = Capture::of_files(files.iter().map(|file| Ok(&file[..])), Limits::default());
    let mut seen = Vec::new();
    while let Some(event) = capture.next_event().unwrap() {
        match event {
            Event::Datagram(datagram) => {
                seen.push((datagram.origin.frame, datagram.origin.file, datagram.bytes[0]));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [(1, 0, b'b'), (2, 0, b'c'), (3, 2, b'a'), (4, 1, b'd')]);
}

#[test]
fn damage_is_told_after_all_before_it() {
    let pcap =
        Pcap::of(&after_handshake(&[client(103, 500, ACK, b"def"), client(106, 500, ACK, b"ghi")]));
    let last = 16 + 14 + 20 + 20 + 3;
    let start_of_last = pcap.bytes.len() - last;
    let told = [START, "C0 -3 FlowEnd", "C3 def #4", "end CaptureEnded"];

    let (events, errors) = read(&pcap.bytes[..pcap.bytes.len() - 1], Limits::default());
    assert_eq!(events, told);
    assert_eq!(errors.len(), 1);
    assert_eq!(usize::try_from(errors[0].offset).unwrap(), start_of_last);
    assert!(matches!(
        errors[0].problem,
        Problem::Truncated { part: Part::PacketData, expected: 57, found: 56 }
    ));

    let mut absurd = pcap.bytes.clone();
    absurd[start_of_last + 8..start_of_last + 12].fill(0xff);
    let (events, errors) = read(&absurd, Limits::default());
    assert_eq!(events, told);
    assert_eq!(
        errors[0].to_string(),
        format!("at byte {start_of_last}: packet claims 4294967295 bytes, more than 16777216")
    );

    for length in 0..pcap.bytes.len() {
        let (_, errors) = read(&pcap.bytes[..length], Limits::default());
        assert!(errors.len() <= 1);
    }
}

#[test]
fn times_are_those_of_the_frame_that_carried_the_byte() {
    let file =
        Pcap::of(&after_handshake(&[client(103, 500, ACK, b"def"), client(100, 500, ACK, b"abc")]))
            .bytes;
    let mut capture = Capture::new(&file[..], Limits::default());
    let mut times = Vec::new();
    while let Some(event) = capture.next_event().unwrap() {
        if let Event::Data(data) = event {
            times.push(data.origin.time.unwrap());
        }
    }
    assert_eq!(times, [Timestamp(1_000_005_000), Timestamp(1_000_004_000)]);
}

#[test]
fn a_flood_of_half_open_flows_does_not_displace_those_with_data() {
    let mut segments = after_handshake(&[client(100, 500, ACK, b"before")]);
    for i in 0..20_000_u32 {
        let [_, a, b, c] = i.to_be_bytes();
        let from = format!("10.{a}.{b}.{c}:{}", 50_000).parse().unwrap();
        segments.push(Segment { from, ..client(i, 0, SYN, b"") });
    }
    segments.push(client(106, 500, ACK, b"after"));
    let limits = limits(|limits| limits.flows = 100);
    let mut capture = Capture::new(&Pcap::of(&segments).bytes[..], limits)
        .collect_lines(|event| !matches!(event, Event::FlowStarted(_)));
    assert_eq!(capture.len(), 20_001 + 2);
    capture.retain(|line| line != "end Evicted");
    assert_eq!(capture[..2], ["C0 before #4", "C6 after #20005"]);
    assert_eq!(capture.len(), 2 + 100);
}

#[test]
fn flows_with_data_go_by_last_use() {
    let other = |n: u8, seq, bytes: &[u8]| Segment {
        from: format!("10.1.1.{n}:50000").parse().unwrap(),
        ..client(seq, 0, ACK, bytes)
    };
    let segments = [
        other(1, 0, b"a"),
        other(2, 0, b"b"),
        other(1, 1, b"c"),
        other(3, 0, b"d"),
        other(1, 2, b"e"),
    ];
    let told = [
        "start 10.1.1.1:50000 guessed",
        "C0 a #1",
        "start 10.1.1.2:50000 guessed",
        "C0 b #2",
        "C1 c #3",
        "end Evicted",
        "start 10.1.1.3:50000 guessed",
        "C0 d #4",
        "C2 e #5",
        "end CaptureEnded",
        "end CaptureEnded",
    ];
    let limits = limits(|limits| (limits.flows, limits.patience) = (2, 0));
    check_with(limits, &Pcap::of(&segments), &told);
}

#[test]
fn a_flow_that_never_fills_its_hole_is_bounded() {
    let mut segments = handshake();
    for i in 0..1000 {
        segments.push(client(101 + i * 100, 500, ACK, &[b'x'; 100]));
    }
    let limits = limits(|limits| limits.waiting_per_stream = 10_000);
    let lines = Capture::new(&Pcap::of(&segments).bytes[..], limits).collect_lines(|_| true);
    assert_eq!(lines[1], "C0 -1 Bound");
    assert_eq!(lines.len(), 1 + 1 + 1000 + 1);
}

#[test]
fn what_all_flows_hold_back_is_bounded() {
    let mut segments = Vec::new();
    for n in 1..=250_u8 {
        let from = format!("10.1.1.{n}:50000").parse().unwrap();
        let to = wire::SERVER.parse().unwrap();
        segments.push(Segment { from, to, ..client(0, 0, SYN, b"") });
        segments.push(Segment { from: to, to: from, ..client(500, 1, SYN | ACK, b"") });
        segments.push(Segment { from, to, ..client(2, 501, ACK, &[b'x'; 100]) });
    }
    let limits = limits(|limits| limits.waiting = 10_000);
    let lines = Capture::new(&Pcap::of(&segments).bytes[..], limits).collect_lines(|_| true);
    let bound = lines.iter().filter(|line| *line == "C0 -1 Bound").count();
    let end = lines.iter().filter(|line| *line == "C0 -1 FlowEnd").count();
    assert_eq!(bound + end, 250);
    assert!((5..15).contains(&end), "{end}");
}

#[test]
fn what_flows_without_a_beginning_hold_back_is_bounded() {
    let mut segments = Vec::new();
    for n in 1..=250_u8 {
        let from = format!("10.1.1.{n}:50000").parse().unwrap();
        segments.push(Segment { from, ..client(2, 0, ACK, &[b'x'; 100]) });
    }
    let limits = limits(|limits| limits.waiting = 10_000);
    let pcap = Pcap::of(&segments);
    let mut capture = Capture::new(&pcap.bytes[..], limits);
    // By the frame of the data, and the frames read when it is told.
    let mut late = Vec::new();
    while let Some(event) = capture.next_event().unwrap() {
        if let Event::Data(data) = event {
            let frame = data.origin.frame;
            late.push(capture.totals().packets - frame);
        }
    }
    assert_eq!(late.len(), 250);
    assert!(late[..200].iter().all(|late| (30..60).contains(late)), "{late:?}");
}

#[test]
fn a_beginning_recorded_late_is_a_beginning() {
    let [syn, syn_ack, ack] = handshake().try_into().unwrap();
    let (hello, ask) = (server(500, 100, ACK, b"hello"), client(100, 505, ACK, b"ask"));
    let (more, done) = (client(103, 505, ACK, b"more"), server(505, 107, ACK, b"done"));
    let all = [syn, syn_ack, ack, hello, ask, more, done];
    let number = |at: usize, order: &[usize]| order.iter().position(|it| *it == at).unwrap() + 1;
    for order in [[4, 6, 1, 5, 3, 0, 2], [6, 5, 4, 3, 2, 1, 0], [5, 3, 4, 6, 0, 2, 1]] {
        let segments = order.map(|at| all[at].clone());
        let told = [
            START.to_owned(),
            format!("S0 hello #{}", number(3, &order)),
            format!("C0 ask #{}", number(4, &order)),
            format!("C3 more #{}", number(5, &order)),
            format!("S5 done #{}", number(6, &order)),
            "end CaptureEnded".to_owned(),
        ];
        check(&segments, &told.each_ref().map(String::as_str));
    }
    // Without SYN, as far as segments adjoin. The client is guessed.
    let told = [
        "start 10.0.0.1:40000 guessed",
        "S0 hello #4",
        "C0 ask #2",
        "C3 more #1",
        "S5 done #3",
        "end CaptureEnded",
    ];
    check(&[5, 4, 6, 3].map(|at| all[at].clone()), &told);
}

#[test]
fn bytes_sent_again_with_later_ones_still_come_before_the_answer() {
    // The first copy of `ask` was not captured; the second one has what followed the answer as well.
    let segments = after_handshake(&[
        server(500, 103, ACK, b"answer"),
        client(100, 506, ACK, b"asknext"),
        server(506, 107, ACK, b"last"),
    ]);
    check(
        &segments,
        &[START, "C0 ask #5", "S0 answer #4", "C3 next #5", "S6 last #6", "end CaptureEnded"],
    );
}

#[test]
fn a_syn_behind_the_end_of_another_connection_begins_its_own() {
    let segments = [
        client(9_000_000, 500, ACK, b"old"),
        client(99, 0, SYN, b""),
        server(499, 100, SYN | ACK, b""),
        client(100, 500, ACK, b"new"),
    ];
    let told = [
        "start 10.0.0.1:40000 guessed",
        "C0 old #1",
        "end Reused",
        START,
        "C0 new #4",
        "end CaptureEnded",
    ];
    check(&segments, &told);
}

#[test]
fn a_bound_of_nothing_still_works() {
    let mut none = Limits::default();
    none.flows = 0;
    none.waiting = 0;
    none.waiting_per_stream = 0;
    none.datagrams = 0;
    none.fragments = 0;
    none.patience = 0;
    let segments =
        after_handshake(&[client(103, 500, ACK, b"def"), server(500, 106, ACK, b"answer")]);
    let told = [START, "C0 -3 Bound", "C3 def #4", "S0 answer #5", "end CaptureEnded"];
    check_with(none, &Pcap::of(&segments), &told);
}

trait CollectLines {
    fn collect_lines(self, keep: impl Fn(&Event<'_>) -> bool) -> Vec<String>;
}

impl<F: Iterator<Item = std::io::Result<R>>, R: std::io::Read> CollectLines for Capture<F, R> {
    fn collect_lines(mut self, keep: impl Fn(&Event<'_>) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(event) = self.next_event().unwrap() {
            if keep(&event) {
                lines.push(tell(&event));
            }
        }
        lines
    }
}

#[test]
fn notices_read_as_sentences() {
    assert_eq!(NoticeKind::FragmentConflict.to_string(), "overlapping ip fragments differ");
    assert_ne!(EndReason::Closed, EndReason::Reset);
    assert_ne!(GapCause::Cut, GapCause::Bound);
}
