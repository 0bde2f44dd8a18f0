/* Read latency 80 and 140 ns, read bandwidth 20000 and 9000 MB/s; a cache before domain 1. */
                  Signature : "HMAT"    [Heterogeneous Memory Attributes Table]
               Table Length : 00000000
                   Revision : 02
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

                   Reserved : 00000000

             Structure Type : 0000    [Memory Proximity Domain Attributes]
                   Reserved : 0000
                     Length : 00000028
      Flags (decoded below) : 0001
Processor Proximity Domain Valid : 1
                  Reserved1 : 0000
Attached Initiator Proximity Domain : 00000000
    Memory Proximity Domain : 00000000
                  Reserved2 : 00000000
                  Reserved3 : 0000000000000000
                  Reserved4 : 0000000000000000

             Structure Type : 0000    [Memory Proximity Domain Attributes]
                   Reserved : 0000
                     Length : 00000028
      Flags (decoded below) : 0001
Processor Proximity Domain Valid : 1
                  Reserved1 : 0000
Attached Initiator Proximity Domain : 00000001
    Memory Proximity Domain : 00000001
                  Reserved2 : 00000000
                  Reserved3 : 0000000000000000
                  Reserved4 : 0000000000000000

             Structure Type : 0001    [System Locality Latency and Bandwidth Information]
                   Reserved : 0000
                     Length : 00000038
      Flags (decoded below) : 00
           Memory Hierarchy : 0
                  Data Type : 01
                  Reserved1 : 0000
Initiator Proximity Domains # : 00000002
 Target Proximity Domains # : 00000002
                  Reserved2 : 00000000
            Entry Base Unit : 00000000000003E8
Initiator Proximity Domain List : 00000000
Initiator Proximity Domain List : 00000001
Target Proximity Domain List : 00000000
Target Proximity Domain List : 00000001
                      Entry : 0050
                      Entry : 008C
                      Entry : 008C
                      Entry : 0050

             Structure Type : 0001    [System Locality Latency and Bandwidth Information]
                   Reserved : 0000
                     Length : 00000038
      Flags (decoded below) : 00
           Memory Hierarchy : 0
                  Data Type : 04
                  Reserved1 : 0000
Initiator Proximity Domains # : 00000002
 Target Proximity Domains # : 00000002
                  Reserved2 : 00000000
            Entry Base Unit : 00000000000003E8
Initiator Proximity Domain List : 00000000
Initiator Proximity Domain List : 00000001
Target Proximity Domain List : 00000000
Target Proximity Domain List : 00000001
                      Entry : 0014
                      Entry : 0009
                      Entry : 0009
                      Entry : 0014

             Structure Type : 0002    [Memory Side Cache Information]
                   Reserved : 0000
                     Length : 00000020
    Memory Proximity Domain : 00000001
                  Reserved1 : 00000000
     Memory Side Cache Size : 0000000004000000
Cache Attributes (decoded below) : 00401111
         Total Cache Levels : 1
                Cache Level : 1
        Cache Associativity : 1
               Write Policy : 1
            Cache Line Size : 0040
                  Reserved2 : 0000
            SMBIOS Handle # : 0000
