/* The distance from i to j is 30 + i + j. */
                  Signature : "SLIT"    [System Locality Information Table]
               Table Length : 00000000
                   Revision : 01
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

                 Localities : 0000000000000008
               Locality   0 : 0A 1F 20 21 22 23 24 25
               Locality   1 : 1F 0A 21 22 23 24 25 26
               Locality   2 : 20 21 0A 23 24 25 26 27
               Locality   3 : 21 22 23 0A 25 26 27 28
               Locality   4 : 22 23 24 25 0A 27 28 29
               Locality   5 : 23 24 25 26 27 0A 29 2A
               Locality   6 : 24 25 26 27 28 29 0A 2B
               Locality   7 : 25 26 27 28 29 2A 2B 0A
